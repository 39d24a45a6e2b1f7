"""A verified domain counts for as long as its record is there, and a week longer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import Action
from auth.domain.connections import Connection, Domain
from auth.domain.sessions import SessionTokens
from auth.domain.sso import DomainNotVerified, EmailNotOfDomain, SsoRequired
from auth.servicer import servicers
from auth.store import connections as store
from auth.tables import CONNECTION_DOMAINS
from auth.timers import TIMERS
from auth.usecases import connections, sessions, sso
from auth.usecases.domains import LOOK_FOR_DOMAIN
from comptoir.auth.v1 import connection_pb2, credential_pb2
from comptoir.auth.v1.connection_pb2_grpc import ConnectionServiceStub
from comptoir.auth.v1.credential_pb2_grpc import AccountMailServiceStub
from servicekit import ids
from servicekit.identity import Caller
from testkit import timers
from testkit.callers import service
from testkit.plugin import StartEdge

from .conftest import BROWSER, PASSWORD, People
from .mailbox import the_only, waiting
from .providers_of_people import connect, with_dns
from .staff import NOBODY, by, hire, log_in
from .test_reach_of_connections import arrive, require

OWNER, SWANN = "paulette@corp.example", "swann@corp.example"
DAY = timedelta(days=1)


@dataclass
class Dns:
    """What a test has the name servers say: what is there, that nothing is, or no answer."""

    app: App
    records: bool | None = True

    async def look_up(self, name: str) -> Sequence[str] | None:
        if self.records is None:
            return None
        return await with_dns(self.app).look_up_txt(name) if self.records else ("v=spf1 -all",)


@pytest.fixture
def dns(app: App) -> Dns:
    return Dns(app)


@pytest.fixture
def looking(app: App, dns: Dns) -> App:
    return replace(app, look_up_txt=dns.look_up)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def state(app: App, connection: Connection) -> Domain:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        found = await store.find_connection(tx, connection.id)
    assert found is not None
    (domain,) = found.domains
    return domain


async def look(app: App, times: int = 1) -> None:
    """The timer's looks, a day apart: each makes what was noted a day older."""
    for _ in range(times):
        (timer,) = await timers.scheduled(app.db, LOOK_FOR_DOMAIN)
        await TIMERS[LOOK_FOR_DOMAIN](app, timer)
        async with app.db.begin_platform(reason="let a day pass in a test") as tx:
            since = CONNECTION_DOMAINS.c.missing_since
            await tx.execute(
                sa.update(CONNECTION_DOMAINS).where(since.is_not(None)).values(missing_since=since - DAY)
            )


async def actions(people: People, owner: Caller) -> list[Action]:
    log = await people.log(owner.tenant)
    return [each.action for each in log if each.action in (Action.DOMAIN_MISSING, Action.DOMAIN_LOST)]


async def test_it_is_looked_at_daily_and_stays_as_long_as_its_record_is_there(
    looking: App, owner: Caller, dns: Dns
) -> None:
    connection = await connect(looking, owner, "corp.example")
    verified_at = (await state(looking, connection)).verified_at
    assert verified_at is not None
    await look(looking, 10)
    (timer,) = await timers.scheduled(looking.db, LOOK_FOR_DOMAIN)
    assert DAY <= timer.due_at - verified_at <= DAY + timedelta(hours=2)
    assert await state(looking, connection) == replace(connection.domains[0], verified_at=verified_at)
    assert await waiting(looking, MailKind.DOMAIN_MISSING) == []


async def test_after_seven_days_without_its_record_it_counts_no_more(
    looking: App, people: People, owner: Caller, dns: Dns
) -> None:
    connection = await connect(looking, owner, "corp.example")
    await hire(people, owner, SWANN)
    await require(looking, owner, connection)
    dns.records = False
    await look(looking, 7)
    missing = await state(looking, connection)
    assert (missing.verified_at is not None, missing.missed) == (True, 7)
    with pytest.raises(SsoRequired):
        await people.log_in(SWANN)
    assert isinstance(await arrive(looking, connection, SWANN), SessionTokens)
    await look(looking)
    assert await state(looking, connection) == replace(connection.domains[0], verified_at=None)
    assert await timers.scheduled(looking.db, LOOK_FOR_DOMAIN) == []
    assert (await people.log_in(SWANN)).access_token
    with pytest.raises(EmailNotOfDomain):
        await arrive(looking, connection, SWANN)
    assert await sso.find_sso(looking, SWANN) == ([], None)
    with pytest.raises(DomainNotVerified):
        await sso.begin_sso(
            looking,
            ids.show("con", connection.id),
            return_to="https://book.example.org/in",
            challenge="c",
            browser="b",
        )
    assert await actions(people, owner) == [Action.DOMAIN_MISSING, Action.DOMAIN_LOST]


async def test_owners_are_mailed_at_the_first_miss_and_at_the_loss(
    looking: App, people: People, owner: Caller, dns: Dns, rpc_edge: StartEdge
) -> None:
    connection = await connect(looking, owner, "corp.example")
    await hire(people, owner, "odette@corp.test", "admin")
    dns.records = False
    await look(looking)
    first = await the_only(looking, MailKind.DOMAIN_MISSING)
    since = (await state(looking, connection)).missing_since
    assert since is not None
    assert (first.email, first.domain) == (OWNER, "corp.example")
    assert first.verified_until == since + 8 * DAY  # it was seen a day ago by now
    await look(looking, 7)
    assert len(await waiting(looking, MailKind.DOMAIN_MISSING)) == 1
    lost = await the_only(looking, MailKind.DOMAIN_LOST)
    assert (lost.email, lost.domain, lost.verified_until) == (OWNER, "corp.example", None)
    edge = await rpc_edge("auth", servicers(looking), looking.db)
    told = []
    for kind in (MailKind.DOMAIN_MISSING, MailKind.DOMAIN_LOST):
        (mail,) = await waiting(looking, kind)
        asked = credential_pb2.IssueAccountMailRequest(mail_id=ids.show("aml", mail))
        told.append(
            await edge.call(AccountMailServiceStub, "IssueAccountMail", asked, caller=service("notification"))
        )
    assert [each.domain.domain for each in told] == ["corp.example"] * 2
    assert [each.domain.HasField("verified_until") for each in told] == [True, False]


async def test_one_day_with_its_record_begins_the_week_anew(
    looking: App, people: People, owner: Caller, dns: Dns
) -> None:
    connection = await connect(looking, owner, "corp.example")
    for _ in range(3):
        dns.records = False
        await look(looking, 7)
        dns.records = True
        await look(looking)
        found = await state(looking, connection)
        assert (found.missed, found.missing_since) == (0, None)
        assert found.verified_at is not None
    assert await actions(people, owner) == [Action.DOMAIN_MISSING] * 3


async def test_days_without_an_answer_count_for_nothing(looking: App, owner: Caller, dns: Dns) -> None:
    connection = await connect(looking, owner, "corp.example")
    dns.records = None
    await look(looking, 20)
    assert (await state(looking, connection)).missing_since is None
    dns.records = False
    await look(looking, 3)
    dns.records = None
    await look(looking, 20)
    (timer,) = await timers.scheduled(looking.db, LOOK_FOR_DOMAIN)
    dns.records = False
    await look(looking, 4)
    assert (await state(looking, connection)).missed == 7
    await look(looking)
    assert (await state(looking, connection)).verified_at is None
    async with looking.db.begin_platform(reason="read the clock in a test") as tx:
        assert timer.due_at - tx.now <= timedelta(hours=2)


async def test_so_many_looks_within_less_than_a_week_lose_nothing(
    looking: App, owner: Caller, dns: Dns
) -> None:
    connection = await connect(looking, owner, "corp.example")
    dns.records = False
    for _ in range(12):
        (timer,) = await timers.scheduled(looking.db, LOOK_FOR_DOMAIN)
        await TIMERS[LOOK_FOR_DOMAIN](looking, timer)
    assert (await state(looking, connection)).verified_at is not None


async def test_how_long_it_may_be_missing_is_set(looking: App, owner: Caller, dns: Dns) -> None:
    app = replace(looking, sso=looking.sso.model_copy(update={"domain_missing_days": 2}))
    connection = await connect(app, owner, "corp.example")
    dns.records = False
    await look(app, 2)
    assert (await state(app, connection)).verified_at is not None
    await look(app)
    assert (await state(app, connection)).verified_at is None


async def test_it_comes_back_by_verifying_again(looking: App, owner: Caller, dns: Dns) -> None:
    connection = await connect(looking, owner, "corp.example")
    dns.records = False
    await look(looking, 8)
    again = await connections.verify_domains(looking, owner, connection.id, by=by(owner))
    assert again.domains[0].verified_at is None
    dns.records = True
    again = await connections.verify_domains(looking, owner, connection.id, by=by(owner))
    assert again.domains[0].verified_at is not None
    assert len(await timers.scheduled(looking.db, LOOK_FOR_DOMAIN)) == 1


async def test_another_organization_gets_it_after_the_loss_and_never_before(
    looking: App, people: People, owner: Caller, dns: Dns
) -> None:
    mine = await connect(looking, owner, "corp.example")
    await people.own("marcel@other.example")
    marcel = await log_in(people, "marcel@other.example")
    dns.records = False
    await look(looking, 7)
    dns.records = True
    theirs = await connect(looking, marcel, "corp.example")
    assert theirs.domains[0].verified_at is None
    dns.records = False
    await look(looking)
    dns.records = True
    found = await connections.verify_domains(looking, marcel, theirs.id, by=by(marcel))
    assert found.domains[0].verified_at is not None
    found = await connections.verify_domains(looking, owner, mine.id, by=by(owner))
    assert found.domains[0].verified_at is None


async def test_a_change_of_the_connection_keeps_what_was_noted_and_without_the_domain_nothing_is_looked_for(
    looking: App, owner: Caller, dns: Dns
) -> None:
    connection = await connect(looking, owner, "corp.example")
    dns.records = False
    await look(looking, 3)
    before = await state(looking, connection)
    await require(looking, owner, connection)
    assert (await state(looking, connection)) == before
    await connections.delete_connection(looking, owner, connection.id, by=by(owner))
    await look(looking)
    assert await timers.scheduled(looking.db, LOOK_FOR_DOMAIN) == []


async def test_owners_see_since_when_it_is_missing(
    looking: App, owner: Caller, dns: Dns, rpc_edge: StartEdge
) -> None:
    await connect(looking, owner, "corp.example")
    edge = await rpc_edge("auth", servicers(looking), looking.db)
    listing = connection_pb2.ListConnectionsRequest(organization_id=ids.show("org", owner.tenant))
    for records, missing in ((True, False), (False, True)):
        dns.records = records
        await look(looking)
        listed = await edge.call(ConnectionServiceStub, "ListConnections", listing, caller=owner)
        (domain,) = listed.items[0].domains
        assert (domain.verified, domain.HasField("missing_since")) == (True, missing)


async def test_who_has_a_password_goes_on_by_it_after_the_loss(
    looking: App, people: People, owner: Caller, dns: Dns
) -> None:
    connection = await connect(looking, owner, "corp.example")
    await hire(people, owner, SWANN)
    tokens = await people.log_in(SWANN)
    await require(looking, owner, connection)
    dns.records = False
    await look(looking, 8)
    assert (await sessions.refresh_session(looking, tokens.refresh_token)).access_token
    found = await sessions.log_in(looking, SWANN, PASSWORD, by=NOBODY, user_agent=BROWSER)
    assert isinstance(found, SessionTokens)
