"""Logging in, going on, and who one is. Passwords are never compared on the event loop."""

from collections.abc import Iterable
from dataclasses import replace
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
from auth.domain.audit import NOBODY, Action, ActorKind, Author
from auth.domain.challenges import PendingLogIn
from auth.domain.devices import device_name
from auth.domain.members import NoOrganization
from auth.domain.roles import Grant
from auth.domain.sessions import (
    RefreshToken,
    RefreshTokenInvalid,
    RefreshTokenReused,
    Session,
    SessionTokens,
)
from auth.store import accounts as account_store
from auth.store import audit
from auth.store import sessions as store
from auth.store.grants import find_grant
from auth.usecases.known_devices import note_device
from auth.usecases.second_factors import awaited_factor
from auth.usecases.ways_in import refuse_other_ways
from servicekit import ids, telemetry
from servicekit.database import Transaction
from servicekit.errors import RETRY_AFTER, Unauthenticated

_log = telemetry.logger(__name__)


async def log_in(
    app: App, email: str, password: str, *, by: Author, user_agent: str, device_token: str = ""
) -> SessionTokens | PendingLogIn:
    """Opens a session in the oldest of the user's organizations, or asks for the second factor: see `admit`.

    Two transactions, because a password is not hashed inside one. The attempt is counted in the first, before
    the password is looked at, so that guessing in parallel gets no more tries; the second forgets the count.

    Raises:
        TooManyAttempts: five failed in a quarter of an hour, for this account from the address of `by`.
        InvalidCredentials: no such account, or another password.
        EmailNotVerified: the password is right, but the link was not followed yet.
        SsoRequired: it is right, but an organization of the user wants another log-in.
        NoOrganization: it is right, but the user belongs to no organization any more.
        Unavailable: too many passwords wait to be compared.
    """
    normalised = accounts.normalise_email(email)
    key = accounts.attempt_key(normalised, by.address)
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
        if account.verified:
            await refuse_other_ways(tx, account.id)
        if account.verified and verdict.stronger_hash is not None:
            await account_store.save_password(tx, account.id, verdict.stronger_hash)
        tokens = (
            await admit(
                app,
                tx,
                account.id,
                methods=("pwd",),
                by=by,
                user_agent=user_agent,
                device_token=device_token,
            )
            if account.verified
            else None
        )
    if tokens is None:
        raise EmailNotVerified
    return tokens


async def refresh_session(app: App, refresh_token: str, *, by: Author = NOBODY) -> SessionTokens:
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
        session, grant = found
        token.verify(app.keyring.refresh_keys(session))
        traded = session.trade(token.counter, now=tx.now, idle=app.lifetimes.idle)
        await store.save_session(tx, traded)
        if traded.ended_at is not None:
            await audit.record(
                tx,
                session.organization_id,
                by,
                Action.REFRESH_TOKEN_REUSED,
                target=ids.show("ses", session.id),
                before={"counter": session.counter},
                after={"presented": token.counter},
            )
    if traded.ended_at is not None:
        _log.warning("refresh_token_reused", session=str(session.id), behind=session.counter - token.counter)
        raise RefreshTokenReused
    return tokens_of(app, traded, grant, now=traded.last_used_at)


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


async def admit(
    app: App,
    tx: Transaction,
    user_id: UUID,
    *,
    methods: Iterable[str],
    by: Author,
    user_agent: str,
    device_token: str = "",
    organization_id: UUID | None = None,
    second_factor_given: bool = False,
) -> SessionTokens | PendingLogIn:
    """Opens a session for whoever has given a first factor, or asks for the second when they have one.

    On a remembered device the second was given before: what needs fresh credentials still counts from then.
    `second_factor_given`: the provider that vouches for the person has asked for it, and is believed.
    Raises like `open_session`, and like it is the last thing of its transaction.
    """
    awaited = (
        None
        if second_factor_given
        else await awaited_factor(tx, user_id, methods=methods, device_token=device_token)
    )
    if isinstance(awaited, PendingLogIn):
        return awaited
    given_at = awaited.created_at if awaited is not None else None
    return await open_session(
        app,
        tx,
        user_id,
        methods=methods,
        by=by,
        user_agent=user_agent,
        authenticated_at=given_at,
        organization_id=organization_id,
    )


async def open_session(
    app: App,
    tx: Transaction,
    user_id: UUID,
    *,
    methods: Iterable[str],
    by: Author,
    user_agent: str,
    authenticated_at: datetime | None = None,
    organization_id: UUID | None = None,
) -> SessionTokens:
    """Opens a session for whoever has given full credentials: in the organization, or the user's oldest.

    Whoever has given a first factor alone goes through `admit`. `by` says where from; `authenticated_at` when
    they gave full credentials, if it was not now. Records the log-in, so it is the last of its transaction.

    Raises:
        NoOrganization: the user is a member of none (any more).
    """
    organization_id = organization_id or await account_store.find_first_organization(tx, user_id)
    grant = await find_grant(tx, organization_id, user_id) if organization_id else None
    if organization_id is None or grant is None:
        raise NoOrganization
    session = Session.open(
        ids.new(),
        organization_id=organization_id,
        user_id=user_id,
        methods=methods,
        device=device_name(user_agent),
        address=by.address,
        now=tx.now,
        lifetimes=app.lifetimes,
    )
    if authenticated_at is not None:
        session = replace(session, authenticated_at=authenticated_at)
    await store.insert_session(tx, session)
    await note_device(app, tx, session)
    await audit.record(
        tx,
        session.organization_id,
        replace(by, kind=ActorKind.USER, id=user_id),
        Action.SESSION_OPENED,
        target=ids.show("ses", session.id),
        after={"methods": list(session.methods), "device": session.device},
    )
    return tokens_of(app, session, grant, now=session.created_at)


def tokens_of(app: App, session: Session, grant: Grant, *, now: datetime) -> SessionTokens:
    """The newest tokens of a session."""
    lifetime = app.lifetimes.access_token
    return SessionTokens(
        access_token=app.keyring.access_token(session, grant, now=now, lifetime=lifetime),
        refresh_token=app.keyring.refresh_token(session),
        expires_in=int(lifetime.total_seconds()),
    )
