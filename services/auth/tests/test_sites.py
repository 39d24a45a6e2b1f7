"""An organization in browsers: origins to the letter, domains that DNS proves, a look that can be read."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from auth.app import App
from auth.domain.audit import Action
from auth.domain.sites import (
    ColoursTooAlike,
    Look,
    OriginExists,
    OriginInvalid,
    OriginNotFound,
    Site,
    Theme,
    TooManyOrigins,
    TooManyWebDomains,
    WebDomainExists,
    WebDomainNotFound,
    contrast,
    origin_of,
)
from auth.servicer import servicers
from auth.tables import WEB_DOMAINS
from auth.timers import TIMERS
from auth.usecases import sites, web_domains
from auth.usecases.web_domains import LOOK_FOR_WEB_DOMAIN
from comptoir.auth.v1 import events_pb2, site_pb2, site_pb2_grpc
from servicekit import ids
from servicekit.errors import AppError, Busy, VersionMismatch
from servicekit.identity import Caller
from testkit import timers
from testkit.callers import member, service
from testkit.edge import Edge
from testkit.outbox import published
from testkit.plugin import StartEdge

from .conftest import People
from .staff import by, log_in

EMAIL, OTHERS = "paulette@example.org", "marcel@example.org"
ORIGIN, DOMAIN = "https://www.example.org", "book.example.org"
DAY = timedelta(days=1)
DARK = Look("Chez Paulette", "https://www.example.org/logo.svg", "#101418", "#f5f1e8", "#ffb454")


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(EMAIL)
    return await log_in(people, EMAIL)


@pytest.fixture
async def other(people: People) -> Caller:
    await people.own(OTHERS)
    return await log_in(people, OTHERS)


@dataclass
class Dns:
    """What a test has the name servers say: what is there, that nothing is, or no answer."""

    app: App
    records: bool | None = True

    async def look_up(self, name: str) -> Sequence[str] | None:
        if not self.records:
            return None if self.records is None else ("v=spf1 -all",)
        async with self.app.db.begin_platform(reason="play DNS in a test") as tx:
            query = sa.select(WEB_DOMAINS.c.token).where("_comptoir." + WEB_DOMAINS.c.domain == name)
            found = (await tx.execute(query)).scalars().all()
        return [f"comptoir-domain-verification={token}" for token in found]


@pytest.fixture
def dns(app: App) -> Dns:
    return Dns(app)


@pytest.fixture
def looking(app: App, dns: Dns) -> App:
    return replace(app, look_up_txt=dns.look_up)


async def known(app: App, caller: Caller) -> Site | None:
    found, _ = await sites.list_sites(app, None)
    return next((each for each in found if each.organization_id == caller.tenant), None)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://www.example.org", ORIGIN),
        ("HTTPS://WWW.Example.ORG", ORIGIN),
        ("https://www.example.org:443", ORIGIN),
        ("https://www.example.org:8443", "https://www.example.org:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://localhost:80", "http://localhost"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
    ],
)
def test_an_origin_is_what_browsers_write(text: str, origin: str) -> None:
    assert origin_of(text) == origin == origin_of(origin)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "*",
        "",
        "https://",
        "https://*.example.org",
        "http://www.example.org",
        "http://localhost.evil.example",
        "https://www.example.org/",
        "https://www.example.org/path",
        "https://www.example.org?x",
        "https://www.example.org#x",
        "https://user@www.example.org",
        "https://user:secret@www.example.org",
        "https://www.example.org:0",
        "https://www.example.org:65536",
        "https://www.example.org:",
        "https://www.example.org:port",
        "https://www.example.org.",
        "https://-www.example.org",
        "https://www..example.org",
        "https://www.exa mple.org",
        "https://www.example.org\\.evil.example",
        "https://[::1]",
        "ftp://www.example.org",
        "javascript:alert(1)",
        "https:www.example.org",
    ],
)
def test_nothing_else_is_an_origin(text: str) -> None:
    with pytest.raises(OriginInvalid):
        origin_of(text)


@given(st.text(max_size=60))
def test_whatever_passes_stays_as_it_is(text: str) -> None:
    for tried in (text, f"https://{text}", f"https://www.example.org{text}"):
        try:
            origin = origin_of(tried)
        except OriginInvalid:
            continue
        assert origin_of(origin) == origin
        assert origin.isascii()
        assert not set(origin.partition("://")[2]) & set("/?#@*\\ ")


def test_contrast_is_as_wcag_measures_it() -> None:
    """Pairs whose ratios are published (WCAG techniques G18; WebAIM's checker)."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#ffffff") == 1
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#ffffff", "#0000ff") == pytest.approx(8.59, abs=0.005)


def test_a_look_that_cannot_be_read_is_none() -> None:
    assert Look().checked() == Look()
    assert replace(DARK, accent="#FFB454").checked() == DARK
    with pytest.raises(ColoursTooAlike) as refusal:
        Look(background="#ffffff", text="#777777", accent="#ffff00").checked()
    assert [each.pointer for each in refusal.value.violations] == ["/text", "/accent"]


async def test_an_origin_is_allowed_told_and_forgotten(app: App, people: People, owner: Caller) -> None:
    made = await sites.create_origin(app, owner.tenant, "https://WWW.example.org:443", by=by(owner))
    assert await sites.list_origins(app, owner.tenant) == [made]
    assert made.origin == ORIGIN
    assert await known(app, owner) == Site(owner.tenant, (ORIGIN,), ())
    await sites.delete_origin(app, owner.tenant, made.id, by=by(owner))
    assert await sites.list_origins(app, owner.tenant) == []
    assert await known(app, owner) == Site(owner.tenant, (), ())
    with pytest.raises(OriginNotFound):
        await sites.delete_origin(app, owner.tenant, made.id, by=by(owner))
    allowed, forgotten = (await people.log(owner.tenant))[-2:]
    assert (allowed.action, allowed.after) == (Action.ORIGIN_ALLOWED, {"origin": ORIGIN})
    assert (forgotten.action, forgotten.before) == (Action.ORIGIN_FORGOTTEN, {"origin": ORIGIN})


async def test_an_origin_is_allowed_once_and_by_as_many_as_like(
    app: App, owner: Caller, other: Caller
) -> None:
    for caller in (owner, other):
        await sites.create_origin(app, caller.tenant, ORIGIN, by=by(caller))
    with pytest.raises(OriginExists):
        await sites.create_origin(app, owner.tenant, ORIGIN, by=by(owner))


async def test_no_more_than_twenty_also_by_many_at_once(app: App, owner: Caller) -> None:
    ended = await asyncio.gather(
        *(
            sites.create_origin(app, owner.tenant, f"https://{number}.example.org", by=by(owner))
            for number in range(23)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, TooManyOrigins) for each in ended) == 3
    assert len(await sites.list_origins(app, owner.tenant)) == 20


async def test_gateways_hear_only_of_what_is_new(app: App, owner: Caller, other: Caller) -> None:
    await sites.create_origin(app, other.tenant, ORIGIN, by=by(other))
    _, first = await sites.list_sites(app, None)
    await sites.create_origin(app, owner.tenant, ORIGIN, by=by(owner))
    found, _ = await sites.list_sites(app, first)
    assert found == [Site(owner.tenant, (ORIGIN,), ())]
    assert (await sites.list_sites(app, first + DAY))[0] == []


async def test_a_domain_shows_nothing_before_its_record_was_seen(
    looking: App, people: People, dns: Dns, owner: Caller
) -> None:
    claimed = await web_domains.create_domain(looking, owner.tenant, DOMAIN, by=by(owner))
    assert claimed.domain.record_name == f"_comptoir.{DOMAIN}"
    for records in (False, None):
        dns.records = records
        seen = await web_domains.verify_domain(looking, owner.tenant, claimed.id, by=by(owner))
        assert seen.domain.verified_at is None
    assert await known(looking, owner) is None
    dns.records = True
    seen = await web_domains.verify_domain(looking, owner.tenant, claimed.id, by=by(owner))
    assert seen.domain.verified_at is not None
    assert seen == await web_domains.verify_domain(looking, owner.tenant, claimed.id, by=by(owner))
    assert await known(looking, owner) == Site(owner.tenant, (), (DOMAIN,))
    actions = [each.action for each in await people.log(owner.tenant)]
    assert actions[-2:] == [Action.WEB_DOMAIN_CLAIMED, Action.WEB_DOMAIN_VERIFIED]
    await web_domains.delete_domain(looking, owner.tenant, claimed.id, by=by(owner))
    assert await known(looking, owner) == Site(owner.tenant, (), ())
    with pytest.raises(WebDomainNotFound):
        await web_domains.verify_domain(looking, owner.tenant, claimed.id, by=by(owner))


async def test_a_domain_belongs_to_the_first_who_proves_it(
    looking: App, owner: Caller, other: Caller
) -> None:
    async def claim(caller: Caller) -> Any:
        claimed = await web_domains.create_domain(looking, caller.tenant, DOMAIN, by=by(caller))
        return await web_domains.verify_domain(looking, caller.tenant, claimed.id, by=by(caller))

    ended = await asyncio.gather(claim(owner), claim(other), return_exceptions=True)
    won = [
        each for each in ended if not isinstance(each, BaseException) and each.domain.verified_at is not None
    ]
    assert len(won) == 1
    assert all(isinstance(each, Busy) for each in ended if isinstance(each, BaseException))
    domains = [each.domains for each in (await sites.list_sites(looking, None))[0]]
    assert sorted(domains) in ([(DOMAIN,)], [(), (DOMAIN,)])


async def test_a_domain_is_claimed_once_and_twenty_are_enough(app: App, owner: Caller) -> None:
    for number in range(20):
        await web_domains.create_domain(app, owner.tenant, f"b{number}.example.org", by=by(owner))
    with pytest.raises(TooManyWebDomains):
        await web_domains.create_domain(app, owner.tenant, "b20.example.org", by=by(owner))
    first, *_ = await web_domains.list_domains(app, owner.tenant)
    await web_domains.delete_domain(app, owner.tenant, first.id, by=by(owner))
    with pytest.raises(WebDomainExists):
        await web_domains.create_domain(app, owner.tenant, "b19.example.org", by=by(owner))


async def look(app: App, times: int) -> None:
    """The timer's looks, a day apart: each makes what was noted a day older."""
    for _ in range(times):
        (timer,) = await timers.scheduled(app.db, LOOK_FOR_WEB_DOMAIN)
        await TIMERS[LOOK_FOR_WEB_DOMAIN](app, timer)
        async with app.db.begin_platform(reason="let a day pass in a test") as tx:
            since = WEB_DOMAINS.c.missing_since
            aged = sa.update(WEB_DOMAINS).where(since.is_not(None)).values(missing_since=since - DAY)
            await tx.execute(aged)


async def test_a_domain_whose_record_is_gone_for_a_week_shows_nothing_any_more(
    looking: App, people: People, dns: Dns, owner: Caller
) -> None:
    claimed = await web_domains.create_domain(looking, owner.tenant, DOMAIN, by=by(owner))
    await web_domains.verify_domain(looking, owner.tenant, claimed.id, by=by(owner))
    await look(looking, 3)
    dns.records = None
    await look(looking, 9)
    dns.records = False
    await look(looking, 7)
    (missing,) = await web_domains.list_domains(looking, owner.tenant)
    assert (missing.domain.missed, missing.domain.verified_at is not None) == (7, True)
    assert await known(looking, owner) == Site(owner.tenant, (), (DOMAIN,))
    await look(looking, 1)
    assert await known(looking, owner) == Site(owner.tenant, (), ())
    assert await timers.scheduled(looking.db, LOOK_FOR_WEB_DOMAIN) == []
    actions = [each.action for each in await people.log(owner.tenant)]
    assert actions[-2:] == [Action.WEB_DOMAIN_MISSING, Action.WEB_DOMAIN_LOST]


async def test_a_theme_holds_is_told_and_recorded(app: App, people: People, owner: Caller) -> None:
    assert await sites.get_theme(app, owner.tenant) == Theme(1, Look())
    changed = await sites.update_theme(app, owner.tenant, DARK, by=by(owner))
    assert changed == Theme(2, DARK) == await sites.get_theme(app, owner.tenant)
    assert await sites.update_theme(app, owner.tenant, DARK, by=by(owner)) == changed
    told = [each for each in await published(app.db) if isinstance(each, events_pb2.OrganizationThemeUpdated)]
    organization = ids.show("org", owner.tenant)
    assert told == [
        events_pb2.OrganizationThemeUpdated(organization_id=organization, version=2, **asdict(DARK))
    ]
    entry = (await people.log(owner.tenant))[-1]
    assert (entry.action, entry.before, entry.after) == (Action.THEME_CHANGED, asdict(Look()), asdict(DARK))
    with pytest.raises(VersionMismatch):
        await sites.update_theme(app, owner.tenant, Look(), expected_version=1, by=by(owner))


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app))


async def test_the_edge_takes_no_look_that_could_become_style(edge: Edge, owner: Caller) -> None:
    good = asdict(DARK) | {"organization_id": ids.show("org", owner.tenant)}
    stub = site_pb2_grpc.ThemeServiceStub
    answer = await edge.call(stub, "UpdateTheme", site_pb2.UpdateThemeRequest(**good), caller=owner)
    assert answer.theme == site_pb2.Theme(version=2, **asdict(DARK))
    for field, values in {
        "background": ["red", "#fff", "#12345g", "#123456;}", "url(x)", ""],
        "logo_url": ["http://a.example/x", "javascript:alert(1)", 'https://a.example/"', "//a.example/x"],
        "name": ["<b>", "two\nlines"],
    }.items():
        for value in values:
            request = site_pb2.UpdateThemeRequest(**good | {field: value})
            with pytest.raises(AppError) as refusal:
                await edge.call(stub, "UpdateTheme", request, caller=owner)
            assert refusal.value.reason == "INVALID_REQUEST", (field, value)


async def test_only_who_may_change_the_organization_does_and_services_ask_what_they_may(
    edge: Edge, owner: Caller
) -> None:
    organization = ids.show("org", owner.tenant)
    create = site_pb2.CreateOriginRequest(organization_id=organization, origin=ORIGIN)
    stub = site_pb2_grpc.OriginServiceStub
    with pytest.raises(AppError) as refusal:
        await edge.call(stub, "CreateOrigin", create, caller=member(owner.tenant, "admin"))
    assert refusal.value.reason == "PERMISSION_DENIED"
    made = (await edge.call(stub, "CreateOrigin", create, caller=owner)).origin
    listed = site_pb2.ListOriginsRequest(organization_id=organization)
    admin = member(owner.tenant, "admin")
    assert list((await edge.call(stub, "ListOrigins", listed, caller=admin)).items) == [made]
    directory, request = site_pb2_grpc.SiteDirectoryServiceStub, site_pb2.ListSitesRequest()
    for name in ("gateway", "booking"):
        answer = await edge.call(directory, "ListSites", request, caller=service(name))
        assert list(answer.sites) == [site_pb2.Site(organization_id=owner.tenant.bytes, origins=[ORIGIN])]
    with pytest.raises(AppError) as refusal:
        await edge.call(directory, "ListSites", request, caller=service("support"))
    assert refusal.value.reason == "PERMISSION_DENIED"
