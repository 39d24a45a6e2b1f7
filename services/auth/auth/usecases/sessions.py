"""Logging in, going on, and who one is. Passwords are never compared on the event loop."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from auth.app import App
from auth.domain import accounts
from auth.domain.accounts import Account, EmailNotVerified, InvalidCredentials, Profile
from auth.domain.audit import NOBODY, Action, ActorKind, Author
from auth.domain.challenges import PendingLogIn, secret_hash
from auth.domain.connections import Connection
from auth.domain.devices import device_name
from auth.domain.members import NoOrganization
from auth.domain.roles import Grant
from auth.domain.sessions import (
    EndReason,
    RefreshToken,
    RefreshTokenInvalid,
    RefreshTokenReused,
    Session,
    SessionTokens,
)
from auth.store import accounts as account_store
from auth.store import audit
from auth.store import challenges as challenge_store
from auth.store import people as people_store
from auth.store import sessions as store
from auth.store.grants import find_grant
from auth.usecases.ended_sessions import end_locked, forget_address_change
from auth.usecases.guessing import Try, compare, count_try, when_there_is_room
from auth.usecases.known_devices import note_device
from auth.usecases.second_factors import awaited_factor
from auth.usecases.ways_in import find_other_way, refuse_other_sessions, refuse_other_ways
from servicekit import ids, telemetry
from servicekit.database import Transaction
from servicekit.errors import AppError, Unauthenticated

_NO_ONE = UUID(int=0)
_log = telemetry.logger(__name__)


async def log_in(
    app: App, email: str, password: str, *, by: Author, user_agent: str, device_token: str = ""
) -> SessionTokens | PendingLogIn:
    """Opens a session in the oldest of the user's organizations, or asks for the second factor: see `admit`.

    Several transactions, because a password is not hashed inside one. The attempt is counted in the first,
    before the password is looked at, so that guessing in parallel gets no more tries; `compare` forgets
    the count.

    Raises:
        TooManyAttempts: too many failed lately: see `count_try`.
        InvalidCredentials: no such account, or another password, or another one by now.
        EmailNotVerified: the password is right, but the link was not followed yet.
        SsoRequired: it is right, but an organization of the user wants another log-in.
        NoOrganization: it is right, but the user belongs to no organization any more.
        Unavailable: too many passwords wait to be compared.
    """
    normalised = accounts.normalise_email(email)

    async def count() -> tuple[Account | None, Try]:
        async with app.db.begin_platform(reason="find an account by its address") as tx:
            found = await account_store.find_account(tx, normalised)
            # Known is who shows a secret, not who looks like the owner: neighbours do that, too.
            hashed = secret_hash(device_token.encode())
            device = device_token and await challenge_store.is_remembered(
                tx, found.id if found else _NO_ONE, hashed
            )
            known = f"device {hashed.hex()}" if device else ""
            return found, await count_try(app, tx, normalised, by=by, known=known)

    account, counted = await when_there_is_room(count)
    counted.refuse_more()
    verdict = await compare(app, counted, account.password_hash if account else None, password)
    if account is None or not verdict.fits:
        raise InvalidCredentials
    async with app.db.begin_platform(reason="open a session") as tx:
        if account.verified:
            await hold_password(tx, account.id, account.password_hash)
        if account.verified:
            await refuse_other_ways(tx, account.id)
        if verdict.stronger_hash is not None and account.verified:
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


async def hold_password(tx: Transaction, user_id: UUID, compared: str) -> None:
    """Locks the user: until the end of `tx` the password is the one that was compared outside of it.

    Raises:
        InvalidCredentials: it was changed or reset meanwhile, or the user has left.
    """
    user = await people_store.lock_user(tx, user_id)
    if user is None or user.password_hash != compared:
        raise InvalidCredentials


async def refresh_session(app: App, refresh_token: str, *, by: Author = NOBODY) -> SessionTokens:
    """The next tokens of a session; see `Session.trade` for who gets which.

    Raises:
        RefreshTokenReused: too old: the session is over from now on.
        RefreshTokenInvalid: not ours, or the session is over, or its connection does not speak for its person
            any more: then it is over from now on.
        SsoRequired: by now the organization wants its connection, and the session was opened otherwise.
    """
    token = RefreshToken.parse(refresh_token)
    refusal: AppError | None = None
    async with app.db.begin_platform(reason="refresh a session") as tx:
        found = await store.lock_session(tx, token.session_id)
        if found is None:
            raise RefreshTokenInvalid
        session, grant = found
        token.verify(app.keyring.refresh_keys(session))
        traded = session.trade(token.counter, now=tx.now, idle=app.lifetimes.idle)
        if traded.ended_at is None and not session.by_connection:
            await refuse_other_sessions(tx, session.organization_id, session.user_id)
        elif traded.ended_at is None and not await store.is_vouched(tx, session):
            refusal = await find_other_way(tx, session) or RefreshTokenInvalid()
            await end_locked(tx, [session], reason=EndReason.CONNECTION_GONE, by=by)
        if refusal is None:
            await store.save_session(tx, traded)
        if traded.ended_at is not None:
            await forget_address_change(tx, session.user_id)
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
    if refusal is not None:
        raise refusal
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
    connection: Connection | None = None,
    second_factor_given: bool = False,
) -> SessionTokens | PendingLogIn:
    """Opens a session for whoever has given a first factor, or asks for the second when they have one.

    Whoever came by an organization's `connection` gets into that organization, with a second step or without.
    On a remembered device the second was given before: what needs fresh credentials still counts from then.
    `second_factor_given`: the provider that vouches for the person has asked for it, and is believed.
    Raises like `open_session`, and like it is the last thing of its transaction.
    """
    awaited = (
        None
        if second_factor_given
        else await awaited_factor(
            tx,
            user_id,
            methods=methods,
            device_token=device_token,
            connection=connection,
        )
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
        organization_id=connection.organization_id if connection else None,
        connection_id=connection.id if connection else None,
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
    connection_id: UUID | None = None,
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
        connection_id=connection_id,
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
