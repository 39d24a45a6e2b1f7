"""Providers that manage people by SCIM, before the real gateway and the real edge of auth."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import Action
from auth.domain.connections import Connection, Domain, Provider, Rules
from auth.domain.scim import GroupWish, UserWish
from auth.usecases import connections, scim_groups, scim_tokens, scim_users
from gateway.app import open_gateway
from gateway.limits import RateSettings
from gateway.settings import Settings
from servicekit.contract import CONTEXTS
from servicekit.identity import Caller
from testkit.edge import Edge
from testkit.keys import Keys

from .conftest import PASSWORD, People
from .staff import by, log_in

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_NOBODY_LISTENS = "127.0.0.1:9"


def with_dns(app: App) -> App:
    """The app, with every TXT record there is to be."""

    async def everything_is_there(name: str) -> Sequence[str]:
        async with app.db.begin_platform(reason="play DNS in a test") as tx:
            query = sa.text("SELECT token FROM connection_domains WHERE '_comptoir.' || domain = :name")
            found = (await tx.execute(query, {"name": name})).scalars().all()
        return [f"comptoir-domain-verification={token}" for token in found]

    return replace(app, look_up_txt=everything_is_there)


async def connect(
    app: App, caller: Caller, *domains: str, roles: tuple[tuple[str, str], ...] = ()
) -> Connection:
    """A connection with verified domains, whose newcomers are viewers."""
    made = await connections.create_connection(
        app,
        caller,
        Provider("Corp", "https://login.corp.example", "comptoir"),
        Rules("viewer", roles=roles),
        secret=PASSWORD,
        domains=domains,
        by=by(caller),
    )
    return await connections.verify_domains(app, caller, made.id, by=by(caller))


async def token_of(app: App, caller: Caller, connection: Connection) -> str:
    """The connection's token."""
    issued = await scim_tokens.create_token(app, caller, connection.id, by=by(caller))
    return issued.text


async def provisioned(app: App, caller: Caller, connection: Connection) -> None:
    """A token, a user and a group of a connection whose domain nobody has looked for."""
    issued = await scim_tokens.create_token(app, caller, connection.id, by=by(caller))
    assert issued.text
    name = f"{caller.tenant.hex}.example"
    known = replace(connection, domains=(Domain(name, "", issued.token.created_at),))
    wish = UserWish(f"odette@{name}", "Odette", active=True)
    user = await scim_users.create_user(app, known, wish, by=by(caller))
    await scim_groups.create_group(app, known, GroupWish("Hosts", None, frozenset({user.id})), by=by(caller))


@asynccontextmanager
async def gateway_before(edge: Edge, keys: Keys) -> AsyncIterator[Any]:
    """The real gateway, as an ASGI app; no other service is there."""
    targets = dict.fromkeys(CONTEXTS, _NOBODY_LISTENS) | {"auth": f"127.0.0.1:{edge.port}"}
    settings = Settings.model_validate(
        {
            "environment": "development",
            "http": {"listen": "127.0.0.1:0", "drain_seconds": 0},
            "admin": {"listen": "127.0.0.1:0"},
            "identity": {
                "signing_key_file": keys.directory / "internal-gateway.json",
                "trusted_keys_file": keys.directory / "internal-keys.json",
            },
            "peers": targets,
            "limits": {"wrong_links": 3},
            "rates": dict.fromkeys(RateSettings.model_fields, "1000000/60"),
        }
    )
    async with open_gateway(settings, lambda: True) as opened:
        yield opened


@dataclass
class Directory:
    """A provider's side of SCIM."""

    http: httpx.AsyncClient
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request."""
        sent = {"Authorization": f"Bearer {self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/scim+json")
        content = None if body is None else json.dumps(body)
        return await self.http.request(method, f"/scim/v2/{path}", content=content, headers=sent)

    async def hire(self, user_name: str, name: str = "Odette", **more: Any) -> dict[str, Any]:
        """A user that was made."""
        body = {"schemas": [USER_SCHEMA], "userName": user_name, "displayName": name} | more
        answer = await self.ask("POST", "Users", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def group(self, name: str, *members: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A group that was made."""
        listed = [{"value": each["id"]} for each in members]
        body = {"schemas": [GROUP_SCHEMA], "displayName": name, "members": listed} | more
        answer = await self.ask("POST", "Groups", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> httpx.Response:
        """Operations on a resource."""
        return await self.ask("PATCH", path, {"schemas": [PATCH_SCHEMA], "Operations": operations}, **headers)


@asynccontextmanager
async def directory_at(gateway: Any, token: str, address: str = "192.0.2.7") -> AsyncIterator[Directory]:
    """A provider that calls from an address."""
    transport = httpx.ASGITransport(app=gateway, raise_app_exceptions=True, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        yield Directory(http, token)


@dataclass
class Corp:
    """An organization whose provider manages its people."""

    app: App
    people: People
    owner: Caller
    connection: Connection
    gateway: Any
    directory: Directory

    async def roles(self) -> dict[str, str]:
        """Address → role of the members."""
        return await roles_of(self.app, self.owner.tenant)

    async def actions(self) -> list[tuple[str, Action]]:
        """Who did what, by the audit log."""
        return [(entry.actor_kind, entry.action) for entry in await self.people.log(self.owner.tenant)]


@asynccontextmanager
async def open_corp(
    app: App,
    people: People,
    edge: Edge,
    keys: Keys,
    *,
    name: str = "corp.example",
    roles: tuple[tuple[str, str], ...] = (),
) -> AsyncIterator[Corp]:
    """An organization of Paulette's, with a connection for her domain. `app` must find TXT records."""
    email = f"paulette@{name}"
    await people.own(email)
    owner = await log_in(people, email)
    connection = await connect(app, owner, name, roles=roles)
    token = await token_of(app, owner, connection)
    async with gateway_before(edge, keys) as gateway, directory_at(gateway, token) as directory:
        yield Corp(app, people, owner, connection, gateway, directory)


async def roles_of(app: App, organization: UUID) -> dict[str, str]:
    """Address → role of the members."""
    query = sa.text(
        "SELECT email, role FROM memberships JOIN users ON id = user_id WHERE organization_id = :organization"
    )
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        rows = (await tx.execute(query, {"organization": organization})).all()
    return {row.email: row.role for row in rows}
