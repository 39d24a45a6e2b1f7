"""Logging in, going on, logging out, and who one is. Passwords are never compared on the event loop."""

from datetime import datetime
from uuid import UUID

from auth.app import App
from auth.domain import accounts
from auth.domain.accounts import (
    ATTEMPTS,
    EmailNotVerified,
    InvalidCredentials,
    Profile,
    TooManyAttempts,
)
from auth.domain.sessions import (
    RefreshToken,
    RefreshTokenInvalid,
    RefreshTokenReused,
    Session,
    SessionTokens,
)
from auth.store import accounts as account_store
from auth.store import sessions as store
from servicekit import ids, telemetry
from servicekit.database import Transaction
from servicekit.errors import RETRY_AFTER, Unauthenticated

_log = telemetry.logger(__name__)


async def log_in(app: App, email: str, password: str, *, address: str) -> SessionTokens:
    """Opens a session in the oldest of the user's organizations.

    Two transactions, because a password is not hashed inside one. The attempt is counted in the first, before
    the password is looked at, so that guessing in parallel gets no more tries; the second forgets the count.

    Raises:
        TooManyAttempts: five failed in a quarter of an hour, for this account from this `address`.
        InvalidCredentials: no such account, or another password.
        EmailNotVerified: the password is right, but the link was not followed yet.
        Unavailable: too many passwords wait to be compared.
    """
    normalised = accounts.normalise_email(email)
    key = accounts.attempt_key(normalised, address)
    async with app.db.begin_platform(reason="find an account by its address") as tx:
        attempts, seconds_left = await account_store.count_attempt(tx, key)
        account = await account_store.find_account(tx, normalised)
    if attempts > ATTEMPTS:
        raise TooManyAttempts(metadata={RETRY_AFTER: str(seconds_left)})
    verdict = await app.passwords.verify(account.password_hash if account else None, password)
    if account is None or not verdict.fits:
        raise InvalidCredentials
    async with app.db.begin_platform(reason="open a session") as tx:
        await account_store.clear_attempts(tx, key)
        opened = await _open_session(app, tx, account.id) if account.verified else None
        if opened is not None and verdict.stronger_hash is not None:
            await account_store.save_password(tx, account.id, verdict.stronger_hash)
    if opened is None:
        raise EmailNotVerified
    session, role = opened
    return _tokens(app, session, role, now=session.created_at)


async def refresh_session(app: App, refresh_token: str) -> SessionTokens:
    """The next tokens of a session; see `Session.trade` for who gets which.

    Raises:
        RefreshTokenInvalid: not ours, or the session is over.
        RefreshTokenReused: too old: the session is over from now on.
    """
    token = RefreshToken.parse(refresh_token)
    async with app.db.begin_platform(reason="refresh a session") as tx:
        found = await store.lock_session(tx, token.session_id)
        if found is None:
            raise RefreshTokenInvalid
        session, role = found
        token.verify(app.keyring.refresh_keys(session))
        traded = session.trade(token.counter, now=tx.now, idle=app.lifetimes.idle)
        await store.save_session(tx, traded)
    if traded.ended_at is not None:
        _log.warning("refresh_token_reused", session=str(session.id), behind=session.counter - token.counter)
        raise RefreshTokenReused
    return _tokens(app, traded, role, now=traded.last_used_at)


async def log_out(app: App, organization_id: UUID, user_id: UUID, session_id: UUID) -> None:
    """Ends a session of the user; one that is over, or that is not theirs, stays as it is."""
    async with app.db.begin(organization_id) as tx:
        found = await store.lock_session(tx, session_id)
        if found is not None and found[0].user_id == user_id:
            await store.save_session(tx, found[0].end(tx.now))


async def get_profile(app: App, organization_id: UUID, user_id: UUID) -> Profile:
    """The user as a member of the organization.

    Raises:
        Unauthenticated: they are no member (any more).
    """
    async with app.db.begin_platform(reason="read the caller's account") as tx:
        profile = await account_store.find_profile(tx, organization_id, user_id)
    if profile is None:
        raise Unauthenticated
    return profile


async def _open_session(app: App, tx: Transaction, user_id: UUID) -> tuple[Session, str]:
    membership = await account_store.find_first_membership(tx, user_id)
    if membership is None:
        # Nobody can be in this state yet; whoever leaves every organization will have nothing to log in to.
        raise InvalidCredentials
    session = Session.open(
        ids.new(),
        organization_id=membership.organization_id,
        user_id=user_id,
        now=tx.now,
        lifetimes=app.lifetimes,
    )
    await store.insert_session(tx, session)
    return session, membership.role


def _tokens(app: App, session: Session, role: str, *, now: datetime) -> SessionTokens:
    lifetime = app.lifetimes.access_token
    return SessionTokens(
        access_token=app.keyring.access_token(session, role, now=now, lifetime=lifetime),
        refresh_token=app.keyring.refresh_token(session),
        expires_in=int(lifetime.total_seconds()),
    )
