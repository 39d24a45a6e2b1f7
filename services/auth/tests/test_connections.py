"""Connections as owners set them up: roles, domains and DNS, secrets, and whose they are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
import sqlalchemy as sa

from auth.app import App
from auth.clients.txt_records import dns_look_up
from auth.domain.audit import Action
from auth.domain.connections import (
    ClientSecretRequired,
    Connection,
    ConnectionNotFound,
    DomainOnOtherConnection,
    IssuerNotAllowed,
    Provider,
    Rules,
    TooManyConnections,
)
from auth.domain.roles import OwnersOnly, PermissionNotHeld, RoleNotFound
from auth.servicer import servicers
from auth.settings import SsoSettings
from auth.tables import CONNECTIONS
from auth.usecases import connections
from comptoir.auth.v1 import connection_pb2
from comptoir.auth.v1.connection_pb2_grpc import ConnectionServiceStub
from servicekit import ids
from servicekit.errors import AppError
from servicekit.identity import Caller
from testkit.plugin import StartEdge

from .conftest import People
from .staff import by, hire, log_in, own_connection

OWNER = "paulette@corp.example"
PROVIDER = Provider("Corp", "https://login.corp.example", "comptoir")


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


def with_records(app: App, *records: str) -> App:
    async def look_up(_name: str) -> Sequence[str]:
        return records

    return replace(app, look_up_txt=look_up)


async def update(app: App, caller: Caller, connection: Connection, **changed: Any) -> Connection:
    wanted: dict[str, Any] = {"provider": PROVIDER, "rules": Rules("viewer"), "secret": "", "domains": ()}
    wanted |= changed
    provider, rules = wanted.pop("provider"), wanted.pop("rules")
    return await connections.update_connection(
        app, caller, connection.id, provider, rules, by=by(caller), **wanted
    )


async def test_a_domain_is_verified_by_its_own_record_alone(app: App, owner: Caller) -> None:
    made = await own_connection(app, owner, "corp.example")
    (domain,) = made.domains
    assert domain.record_name == "_comptoir.corp.example"
    for records in ((), ("comptoir-domain-verification=", "x"), (domain.record_value + "0",)):
        found = await connections.verify_domains(with_records(app, *records), owner, made.id, by=by(owner))
        assert found.domains == (domain,)
    seen = with_records(app, "v=spf1 -all", domain.record_value)
    found = await connections.verify_domains(seen, owner, made.id, by=by(owner))
    assert found.domains[0].verified_at is not None
    assert found.speaks_for("swann@corp.example")
    assert not found.speaks_for("swann@notcorp.example")
    assert not found.speaks_for("@corp.example")
    kept = await update(app, owner, made, domains=("corp.example", "corp.test"))
    assert [(each.name, each.verified_at is not None) for each in kept.domains] == [
        ("corp.example", True),
        ("corp.test", False),
    ]
    assert kept.domains[0].token == domain.token


async def test_a_verified_domain_is_of_one_organization(app: App, people: People, owner: Caller) -> None:
    mine = await own_connection(app, owner, "corp.example")
    await people.own("marcel@other.example")
    marcel = await log_in(people, "marcel@other.example")
    theirs = await own_connection(app, marcel, "corp.example")
    app = with_records(app, mine.domains[0].record_value, theirs.domains[0].record_value)
    assert (await connections.verify_domains(app, owner, mine.id, by=by(owner))).domains[0].verified_at
    found = await connections.verify_domains(app, marcel, theirs.id, by=by(marcel))
    assert found.domains[0].verified_at is None


async def test_the_secret_is_sealed_and_stays_unless_another_is_given(
    app: App, people: People, owner: Caller
) -> None:
    made = await own_connection(app, owner)
    assert b"a secret" not in made.sealed_secret
    assert (await update(app, owner, made)).sealed_secret == made.sealed_secret
    assert (await update(app, owner, made, secret="another")).sealed_secret != made.sealed_secret
    elsewhere = replace(PROVIDER, issuer="https://evil.example")
    with pytest.raises(ClientSecretRequired):
        await update(app, owner, made, provider=elsewhere)
    log = await people.log(owner.tenant)
    assert [each.action for each in log[-3:]] == [Action.CONNECTION_CREATED, *[Action.CONNECTION_CHANGED] * 2]
    assert "another" not in str([each.after for each in log]).replace("another one", "")


async def test_nobody_has_a_connection_give_what_they_may_not(
    app: App, people: People, owner: Caller
) -> None:
    made = await own_connection(app, owner)
    missing = Rules("viewer", "groups", (("x", ids.show("rol", ids.new())),))
    with pytest.raises(RoleNotFound):
        await update(app, owner, made, rules=missing)
    with pytest.raises(PermissionNotHeld):
        narrow = replace(owner, permissions=frozenset({"organization.write"}))
        await update(app, narrow, made, rules=Rules("admin"))
    host = await hire(people, owner, "odette@corp.example")
    with pytest.raises(OwnersOnly):
        await update(app, host, made, rules=Rules("viewer"))


@pytest.mark.parametrize(
    "rules", [{"default_role": "owner"}, {"default_role": "viewer", "roles": (("bosses", "owner"),)}]
)
def test_no_connection_makes_owners(rules: dict[str, Any]) -> None:
    """Whatever the contract lets through: an owner who sets one up does not give the organization away."""
    with pytest.raises(RoleNotFound):
        Rules(**rules)


async def test_limits_and_what_is_not_there(app: App, owner: Caller) -> None:
    made = await own_connection(app, owner, "corp.example")
    with pytest.raises(DomainOnOtherConnection):
        await own_connection(app, owner, "corp.example")
    for number in range(9):
        await own_connection(app, owner, f"corp{number}.example")
    with pytest.raises(TooManyConnections):
        await own_connection(app, owner)
    await connections.delete_connection(app, owner, made.id, by=by(owner))
    for refused in (
        connections.delete_connection(app, owner, made.id, by=by(owner)),
        connections.verify_domains(app, owner, made.id, by=by(owner)),
        update(app, owner, made),
    ):
        with pytest.raises(ConnectionNotFound):
            await refused
    assert len(await connections.list_connections(app, owner.tenant)) == 9


@pytest.mark.parametrize("issuer", ["http://login.corp.example", "https://login.corp.example?x=1"])
async def test_an_issuer_is_https_and_has_no_query(app: App, owner: Caller, issuer: str) -> None:
    made = await own_connection(app, owner)
    strict = replace(app, sso=SsoSettings())
    with pytest.raises(IssuerNotAllowed):
        await update(strict, owner, made, provider=replace(PROVIDER, issuer=issuer))


async def test_the_edge_shows_everything_but_the_secret_and_only_to_its_organization(
    app: App, people: People, owner: Caller, rpc_edge: StartEdge
) -> None:
    edge = await rpc_edge("auth", servicers(app), app.db)
    organization = ids.show("org", owner.tenant)
    settings = connection_pb2.ConnectionSettings(
        name="Corp",
        issuer="https://login.corp.example",
        client_id="us",
        default_role="viewer",
        role_claim="groups",
        role_mappings=[connection_pb2.RoleMapping(value="Hosts", role="host")],
        domains=["corp.example"],
    )
    request = connection_pb2.CreateConnectionRequest(
        organization_id=organization, settings=settings, client_secret="a very own secret"
    )
    made = await edge.call(ConnectionServiceStub, "CreateConnection", request, caller=owner)
    assert made.connection.settings == settings
    assert made.connection.redirect_uri == (
        f"https://api.example.org/v1/auth/sso/{made.connection.id}/callback"
    )
    assert "own secret" not in str(made)
    listing = connection_pb2.ListConnectionsRequest(organization_id=organization)
    listed = await edge.call(ConnectionServiceStub, "ListConnections", listing, caller=owner)
    assert list(listed.items) == [made.connection]
    await people.own("marcel@other.example")
    marcel = await log_in(people, "marcel@other.example")
    host = await hire(people, owner, "odette@corp.example", "admin")
    deleting = connection_pb2.DeleteConnectionRequest(connection_id=made.connection.id)
    for caller, where, reason in (
        (marcel, organization, "ORGANIZATION_NOT_FOUND"),
        (marcel, ids.show("org", marcel.tenant), "CONNECTION_NOT_FOUND"),
        (host, organization, "PERMISSION_DENIED"),
    ):
        deleting.organization_id = where
        with pytest.raises(AppError) as refusal:
            await edge.call(ConnectionServiceStub, "DeleteConnection", deleting, caller=caller)
        assert refusal.value.reason == reason
    deleting.organization_id = organization
    await edge.call(ConnectionServiceStub, "DeleteConnection", deleting, caller=owner)
    async with app.db.begin(owner.tenant) as tx:
        assert (await tx.execute(sa.select(CONNECTIONS.c.id))).all() == []


@pytest.fixture
async def name_server() -> AsyncIterator[int]:
    """A DNS server on loopback that knows one name."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            query = dns.message.from_wire(data)
            answer = dns.message.make_response(query)
            name = query.question[0].name
            if str(name) == "_comptoir.broken.example.":
                answer.set_rcode(dns.rcode.SERVFAIL)
            if str(name) == "_comptoir.nowhere.example.":
                answer.set_rcode(dns.rcode.NXDOMAIN)
            if str(name) == "_comptoir.corp.example.":
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", '"one" "two"', '"three"'))
            self.transport.sendto(answer.to_wire(), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


async def test_dns_is_asked_for_texts(name_server: int) -> None:
    look_up = dns_look_up(["127.0.0.1"], name_server)
    assert sorted(await look_up("_comptoir.corp.example")) == ["onetwo", "three"]
    assert await look_up("_comptoir.other.example") == ()
    assert await look_up("_comptoir.nowhere.example") == ()


async def test_no_answer_is_told_from_no_record(name_server: int) -> None:
    assert await dns_look_up(["127.0.0.1"], name_server)("_comptoir.broken.example") is None
    assert await dns_look_up(["127.0.0.1"], 9)("_comptoir.corp.example") is None


async def test_no_answer_verifies_nothing(app: App, owner: Caller) -> None:
    async def nobody_answers(_name: str) -> None:
        return None

    made = await own_connection(app, owner, "corp.example")
    silent = replace(app, look_up_txt=nobody_answers)
    found = await connections.verify_domains(silent, owner, made.id, by=by(owner))
    assert found.domains == made.domains
