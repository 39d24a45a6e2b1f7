"""The second step of a log-in, a passkey's only one, and devices that are remembered."""

from uuid import UUID

from auth.app import App
from auth.domain.audit import Author
from auth.domain.challenges import (
    CHALLENGE_LIFETIME,
    Challenge,
    ChallengeInvalid,
    GivenFactor,
    OneFactorWanted,
    Purpose,
    RememberedDevice,
    RememberedDeviceNotFound,
    SecondFactorWrong,
)
from auth.domain.devices import device_name
from auth.domain.passkeys import PasskeyUnknown
from auth.domain.sessions import SessionTokens
from auth.store import challenges as store
from auth.store import connections as connection_store
from auth.store import members as member_store
from auth.store import people as people_store
from auth.usecases.second_factors import check_factor, find_challenge, use_passkey
from auth.usecases.sessions import open_session
from auth.usecases.ways_in import refuse_other_ways
from servicekit import ids
from servicekit.database import Transaction
from servicekit.paging import Page


async def answer_challenge(
    app: App,
    token: str,
    given: GivenFactor | None,
    *,
    remember_device: bool,
    by: Author,
    user_agent: str,
) -> tuple[SessionTokens, str]:
    """Opens the session of a log-in that waits. Answers the device's secret, empty unless it is remembered.

    Raises:
        ChallengeInvalid: no log-in waits with this token (any more), or its connection lets them in no more.
        OneFactorWanted: none was given.
        SecondFactorWrong: it is not right, and was counted; the challenge waits on.
        TooManyFactorAttempts: too many were wrong lately.
        SsoRequired: it came by no connection, and by now an organization of the person wants one.
        NoOrganization: the person is a member no more.
    """
    if given is None:
        raise OneFactorWanted
    opened = None
    async with app.db.begin_platform(reason="make the second step of a log-in") as tx:
        challenge = await find_challenge(tx, token)
        if challenge is None or challenge.user_id is None:
            raise ChallengeInvalid
        user_id = challenge.user_id
        method = await check_factor(app, tx, user_id, given, by=by)
        if method is not None:
            await store.delete_challenge(tx, challenge)
            device_token = (
                await _remember(tx, user_id, by=by, user_agent=user_agent) if remember_device else ""
            )
            methods = {*challenge.methods, method}
            tokens = await open_session(
                app,
                tx,
                user_id,
                methods=methods,
                by=by,
                user_agent=user_agent,
                organization_id=await _organization_behind(tx, challenge, user_id),
                connection_id=challenge.connection_id,
            )
            opened = tokens, device_token
    if opened is None:
        raise SecondFactorWrong
    return opened


async def begin_passkey_use(app: App) -> str:
    """What a browser needs to use a passkey, as JSON. Tells nobody whether there is any."""
    async with app.db.begin_platform(reason="begin to use a passkey") as tx:
        secret, challenge = Challenge.issue(Purpose.PASSKEY_ASSERTION, None, now=tx.now)
        await store.insert_challenge(tx, challenge)
    return app.relying_party.request_options(secret, lifetime=CHALLENGE_LIFETIME)


async def log_in_with_passkey(app: App, answer: str, *, by: Author, user_agent: str) -> SessionTokens:
    """Opens a session by a passkey alone: it is possessed, and has verified its person.

    Raises:
        PasskeyUnknown: it is not known, its challenge is over, or its answer does not hold.
        SsoRequired: an organization of the person wants another log-in.
    """
    tokens = None
    async with app.db.begin_platform(reason="log in with a passkey") as tx:
        passkey = await use_passkey(app, tx, answer)
        if passkey is not None:
            await refuse_other_ways(tx, passkey.user_id)
            tokens = await open_session(
                app, tx, passkey.user_id, methods=(passkey.method,), by=by, user_agent=user_agent
            )
    if tokens is None:
        raise PasskeyUnknown
    return tokens


async def list_remembered_devices(app: App, user_id: UUID, page: Page) -> tuple[list[RememberedDevice], str]:
    """A page of the devices that need not give the second factor, newest first, and the next token."""
    async with app.db.begin_platform(reason="list the caller's devices") as tx:
        found = await store.list_devices(tx, user_id)
    return page.cut(found, lambda each: (each.id.hex,), newest_first=True)


async def forget_remembered_device(app: App, user_id: UUID, device_id: UUID) -> None:
    """Has the device give the second factor again.

    Raises:
        RememberedDeviceNotFound: the user has no such device.
    """
    async with app.db.begin_platform(reason="forget the caller's device") as tx:
        if not await store.forget_device(tx, user_id, device_id):
            raise RememberedDeviceNotFound


async def _organization_behind(tx: Transaction, challenge: Challenge, user_id: UUID) -> UUID | None:
    """Where the first step leads, if it still does: to the connection's, or None for the oldest."""
    if challenge.connection_id is None:
        await refuse_other_ways(tx, user_id)
        return None
    connection = await connection_store.find_connection(tx, challenge.connection_id)
    if connection is not None:
        await member_store.lock_organization(tx, connection.organization_id)
        # Once more under the lock, under which domains are lost, too.
        connection = await connection_store.find_connection(tx, challenge.connection_id)
    user = await people_store.get_user(tx, user_id)
    if connection is None or user is None or not connection.speaks_for(user.email):
        raise ChallengeInvalid
    if not connection.is_at(challenge.provider):
        raise ChallengeInvalid
    return connection.organization_id


async def _remember(tx: Transaction, user_id: UUID, *, by: Author, user_agent: str) -> str:
    token, device = RememberedDevice.remember(
        ids.new(), user_id, device=device_name(user_agent), address=by.address, now=tx.now
    )
    await store.insert_device(tx, device)
    return token
