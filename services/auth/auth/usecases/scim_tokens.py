"""The token by which a connection's provider manages people: made by owners, checked at each call."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from auth.app import App
from auth.domain.audit import Action, Author, Values
from auth.domain.connections import Connection, ConnectionNotFound
from auth.domain.scim_tokens import NoScimToken, ScimToken, ScimTokenText, prefix
from auth.store import audit
from auth.store import connections as connection_store
from auth.store import scim_tokens as store
from auth.usecases.givers import enter
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller


@dataclass(frozen=True, slots=True)
class IssuedScimToken:
    """A token with its secret, which is told this once."""

    token: ScimToken
    text: str = field(repr=False)


async def create_token(app: App, caller: Caller, connection_id: UUID, *, by: Author) -> IssuedScimToken:
    """Gives a connection its token. From then on its provider decides who of its domains becomes a member.

    Raises:
        ConnectionNotFound: there is no such connection.
        ScimTokenExists: it has a token.
    """
    text = ScimTokenText.make()
    async with app.db.begin(caller.tenant) as tx:
        await enter(app, tx, caller.tenant, caller)
        await _refuse_unknown(tx, caller.tenant, connection_id)
        hashed = _hash(app, text)
        token = ScimToken(caller.tenant, connection_id, text.short_id, hashed, tx.now, caller.user)
        await store.insert_token(tx, token)
        await _record(tx, token, by, Action.SCIM_TOKEN_CREATED, after={"prefix": prefix(text.short_id)})
    return IssuedScimToken(token, text.show())


async def get_token(app: App, organization_id: UUID, connection_id: UUID) -> ScimToken:
    """The token of a connection.

    Raises:
        ConnectionNotFound: there is no such connection.
        NoScimToken: it has none.
    """
    async with app.db.begin(organization_id) as tx:
        await _refuse_unknown(tx, organization_id, connection_id)
        token = await store.find_token(tx, organization_id, connection_id)
    if token is None:
        raise NoScimToken
    return token


async def rotate_token(
    app: App, caller: Caller, connection_id: UUID, *, grace: timedelta, by: Author
) -> IssuedScimToken:
    """Gives a token a new secret; the one before holds for `grace` more, seven days at most.

    Raises like `get_token`.
    """
    async with app.db.begin(caller.tenant) as tx:
        await enter(app, tx, caller.tenant, caller)
        token = await _lock(tx, caller.tenant, connection_id)
        text = ScimTokenText.make(token.short_id)
        rotated = token.rotate(_hash(app, text), grace=grace, now=tx.now)
        await store.save_token(tx, rotated)
        held = (rotated.previous_until - tx.now) if rotated.previous_until else timedelta()
        after = {"grace_seconds": int(held.total_seconds())}
        await _record(tx, rotated, by, Action.SCIM_TOKEN_ROTATED, after=after)
    return IssuedScimToken(rotated, text.show())


async def revoke_token(app: App, caller: Caller, connection_id: UUID, *, by: Author) -> None:
    """Ends a token with all its secrets, at once. People and groups stay as they are. Repeating does nothing.

    Raises:
        ConnectionNotFound: there is no such connection.
    """
    async with app.db.begin(caller.tenant) as tx:
        await enter(app, tx, caller.tenant, caller)
        await _refuse_unknown(tx, caller.tenant, connection_id)
        token = await store.lock_token(tx, caller.tenant, connection_id)
        if token is not None:
            await store.delete_token(tx, token)
            before = {"prefix": prefix(token.short_id)}
            await _record(tx, token, by, Action.SCIM_TOKEN_REVOKED, before=before)


async def connection_of(app: App, text: str) -> Connection:
    """The connection that a token speaks for. Notes that it was used.

    Raises:
        Unauthenticated: it is no token, or holds no more.
    """
    found = ScimTokenText.parse(text)
    if found is None:
        raise Unauthenticated
    hashed = _hash(app, found)
    async with app.db.begin_platform(reason="find the connection of a SCIM token") as tx:
        token = await store.find_token_of(tx, found.short_id)
        if token is None or not token.holds(hashed, tx.now):
            raise Unauthenticated
        connection = await connection_store.find_connection(tx, token.connection_id)
        if connection is None:
            raise Unauthenticated
        await store.note_use(tx, token)
    return connection


async def _lock(tx: Transaction, organization_id: UUID, connection_id: UUID) -> ScimToken:
    await _refuse_unknown(tx, organization_id, connection_id)
    token = await store.lock_token(tx, organization_id, connection_id)
    if token is None:
        raise NoScimToken
    return token


async def _refuse_unknown(tx: Transaction, organization_id: UUID, connection_id: UUID) -> None:
    found = await connection_store.list_connections(tx, organization_id)
    if all(each.id != connection_id for each in found):
        raise ConnectionNotFound


async def _record(
    tx: Transaction,
    token: ScimToken,
    by: Author,
    action: Action,
    *,
    before: Values | None = None,
    after: Values | None = None,
) -> None:
    target = ids.show("con", token.connection_id)
    await audit.record(tx, token.organization_id, by, action, target=target, before=before, after=after)


def _hash(app: App, text: ScimTokenText) -> bytes:
    return app.seal.digest(text.secret.encode(), bound_to=b"SCIM token " + text.short_id.encode())
