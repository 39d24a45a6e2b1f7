"""An organization's connections to its providers. Owners set them up; a domain counts once DNS says so."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from auth.app import App
from auth.domain.audit import Action, Author, Values
from auth.domain.connections import (
    MOST_CONNECTIONS,
    ClientSecretRequired,
    Connection,
    ConnectionNotFound,
    IssuerNotAllowed,
    Provider,
    Rules,
    TooManyConnections,
    bound_to,
)
from auth.domain.roles import Giver, OwnersOnly
from auth.store import audit
from auth.store import connections as store
from auth.store import roles as role_store
from auth.usecases.domains import expect_look
from auth.usecases.ended_sessions import end_opened_by, end_unvouched
from auth.usecases.givers import enter
from auth.usecases.holding import hold_session
from servicekit import ids
from servicekit.database import Transaction
from servicekit.identity import Caller


async def list_connections(app: App, organization_id: UUID) -> list[Connection]:
    """The organization's, the oldest first."""
    async with app.db.begin(organization_id) as tx:
        return await store.list_connections(tx, organization_id)


async def create_connection(
    app: App,
    caller: Caller,
    provider: Provider,
    rules: Rules,
    *,
    secret: str,
    domains: Iterable[str],
    by: Author,
) -> Connection:
    """Makes a connection, which lets nobody in before a domain is verified.

    Raises:
        IssuerNotAllowed: the issuer is no https URL without a query.
        OwnersOnly: the caller is no owner.
        RoleNotFound, PermissionNotHeld: it would give a role that is none, or that the caller may not.
        DomainOnOtherConnection: another connection of the organization has one of the domains.
        TooManyConnections: there are ten.
    """
    _refuse_issuer(app, provider.issuer)
    connection_id = ids.new()
    sealed = app.seal.close_up(secret.encode(), bound_to=bound_to(connection_id))
    connection = Connection(caller.tenant, connection_id, provider, rules, sealed).with_domains(domains)
    async with app.db.begin(caller.tenant) as tx:
        await _refuse_roles(app, tx, caller, rules)
        if len(await store.list_connections(tx, caller.tenant)) >= MOST_CONNECTIONS:
            raise TooManyConnections
        await store.insert_connection(tx, connection)
        await _record(tx, by, Action.CONNECTION_CREATED, connection, after=_said(connection))
    return connection


async def update_connection(
    app: App,
    caller: Caller,
    connection_id: UUID,
    provider: Provider,
    rules: Rules,
    *,
    secret: str,
    domains: Iterable[str],
    by: Author,
) -> Connection:
    """Changes a connection; domains that stay, stay verified. An empty secret keeps the old one.

    Sessions that it opened for people of domains that do not stay end; with another issuer or client all that
    it opened, and what waits for its answers, because the provider of before vouched for them.

    Raises like `create_connection`, and:
        ConnectionNotFound: there is no such connection.
        ClientSecretRequired: the issuer is another one, which must not learn the old secret.
    """
    _refuse_issuer(app, provider.issuer)
    async with app.db.begin_platform(reason="change a connection and end its sessions") as tx:
        await _refuse_roles(app, tx, caller, rules)
        old = await _get(tx, caller.tenant, connection_id)
        if not secret and provider.issuer != old.provider.issuer:
            raise ClientSecretRequired
        sealed = (
            app.seal.close_up(secret.encode(), bound_to=bound_to(old.id)) if secret else old.sealed_secret
        )
        changed = replace(old, provider=provider, rules=rules, sealed_secret=sealed).with_domains(domains)
        await store.save_connection(tx, changed)
        if not changed.is_at(old.provider.identity):
            await end_opened_by(tx, caller.tenant, old.id, by=by)
        await end_unvouched(tx, caller.tenant, by=by)
        await _record(
            tx, by, Action.CONNECTION_CHANGED, changed, before=_said(old), after=_said(changed, secret=secret)
        )
    return changed


async def verify_domains(app: App, caller: Caller, connection_id: UUID, *, by: Author) -> Connection:
    """Verifies the domains whose TXT record is there. A domain belongs to one organization: the first.

    Raises:
        OwnersOnly: the caller is no owner.
        ConnectionNotFound: there is no such connection.
    """
    async with app.db.begin(caller.tenant) as tx:
        await hold_session(app, tx, by)
        waiting = await _get(tx, caller.tenant, connection_id)
    records = {
        each.name: await app.look_up_txt(each.record_name) or ()
        for each in waiting.domains
        if each.verified_at is None
    }
    async with app.db.begin_platform(reason="verify domains, which one organization has alone") as tx:
        await _enter(app, tx, caller)
        connection = await _get(tx, caller.tenant, connection_id)
        domains = [each.look(records.get(each.name, ()), tx.now) for each in connection.domains]
        seen = []
        for now, before in zip(domains, connection.domains, strict=True):
            if now != before and await store.save_verified(tx, connection, now):
                seen.append(now)
        kept = {each.name: each for each in (*connection.domains, *seen)}
        connection = replace(connection, domains=tuple(kept.values()))
        for each in seen:
            await expect_look(tx, connection, each)
        if seen:
            await _record(
                tx, by, Action.DOMAIN_VERIFIED, connection, after={"domains": [each.name for each in seen]}
            )
    return connection


async def delete_connection(app: App, caller: Caller, connection_id: UUID, *, by: Author) -> None:
    """Deletes a connection. Its people stay members, and the sessions that it opened end.

    Raises:
        OwnersOnly: the caller is no owner.
        ConnectionNotFound: there is no such connection.
    """
    async with app.db.begin_platform(reason="delete a connection and end its sessions") as tx:
        await _enter(app, tx, caller)
        connection = await _get(tx, caller.tenant, connection_id)
        await store.delete_connection(tx, connection)
        await end_unvouched(tx, caller.tenant, by=by)
        await _record(tx, by, Action.CONNECTION_DELETED, connection, before=_said(connection))


async def _get(tx: Transaction, organization_id: UUID, connection_id: UUID) -> Connection:
    found = await store.list_connections(tx, organization_id)
    connection = next((each for each in found if each.id == connection_id), None)
    if connection is None:
        raise ConnectionNotFound
    return connection


async def _enter(app: App, tx: Transaction, caller: Caller) -> Giver:
    """As `enter`, for owners alone: whoever says who vouches for people gets in as each of them, owners too.

    Raises:
        OwnersOnly: the caller is none, whatever their role allows.
    """
    giver = await enter(app, tx, caller.tenant, caller)
    if not giver.owner:
        raise OwnersOnly
    return giver


async def _refuse_roles(app: App, tx: Transaction, caller: Caller, rules: Rules) -> None:
    giver = await _enter(app, tx, caller)
    for role in sorted(rules.all_roles()):
        giver.give(await role_store.get_grant(tx, caller.tenant, role))


def _refuse_issuer(app: App, issuer: str) -> None:
    schemes = ("https://", "http://") if app.sso.allow_http else ("https://",)
    if not issuer.startswith(schemes) or "?" in issuer:
        raise IssuerNotAllowed


async def _record(
    tx: Transaction,
    by: Author,
    action: Action,
    connection: Connection,
    *,
    before: Values | None = None,
    after: Values | None = None,
) -> None:
    target = ids.show("con", connection.id)
    await audit.record(tx, connection.organization_id, by, action, target=target, before=before, after=after)


def _said(connection: Connection, *, secret: str = "") -> Values:
    rules = connection.rules
    said: dict[str, str | int | bool | list[str] | None] = {
        "name": connection.provider.name,
        "issuer": connection.provider.issuer,
        "client_id": connection.provider.client_id,
        "domains": [each.name for each in connection.domains],
        "default_role": rules.default_role,
        "role_claim": rules.role_claim,
        "roles": [f"{value}: {role}" for value, role in rules.roles],
        "required": rules.required,
        "provides_second_factor": rules.provides_second_factor,
    }
    return said | {"client_secret": "another one"} if secret else said
