"""Mix-up (RFC 9700 §4.4): a provider gets at codes that another one gave to whoever was lured to it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from auth.app import App
from auth.clients.social import Providers
from auth.domain.connections import Provider, Rules
from auth.domain.sso import DomainNotVerified, StateInvalid
from auth.settings import SocialSettings
from auth.usecases import connections
from servicekit import ids

from .conftest import LOOPBACK_SSO, People
from .forger import Forger, running_forger
from .openid_provider import Visitor
from .providers_of_people import with_dns
from .staff import by, log_in


@pytest.fixture
async def google() -> AsyncIterator[Forger]:
    async with running_forger() as running:
        running.be_openid()
        yield running


@pytest.fixture
async def mallory() -> AsyncIterator[Forger]:
    async with running_forger() as running:
        running.be_openid()
        yield running


@pytest.fixture
async def app(app: App, google: Forger) -> AsyncIterator[App]:
    who = {"client_id": "us", "client_secret": "secret", "base_url": google.issuer}
    social = {"google": SocialSettings.model_validate(who)}
    settings = LOOPBACK_SSO.model_copy(update={"social": social})
    providers = Providers(settings)
    yield with_dns(replace(app, providers=providers, sso=settings))
    await providers.close()


async def own_provider(app: App, people: People, issuer: str, *, verify: bool = True) -> str:
    """The id of a connection that anybody who registers can make."""
    await people.own("mallory@evil.example")
    caller = await log_in(people, "mallory@evil.example")
    made = await connections.create_connection(
        app,
        caller,
        Provider("Evil", issuer, "us"),
        Rules("viewer"),
        secret="x",
        domains=("evil.example",),
        by=by(caller),
    )
    if verify:
        await connections.verify_domains(app, caller, made.id, by=by(caller))
    return ids.show("con", made.id)


async def asked(visitor: Visitor, connection: str) -> dict[str, str]:
    """What a browser takes along to a provider."""
    return {name: each[0] for name, each in parse_qs(urlsplit(await visitor.begin(connection)).query).items()}


async def test_a_code_that_comes_back_at_another_providers_place_is_traded_nowhere(
    app: App, people: People, google: Forger, mallory: Forger
) -> None:
    """The victim opens Mallory's log-in, whose page sends them on to Google with the state of ours."""
    lure = await own_provider(app, people, mallory.issuer)
    victim = Visitor(app)
    lured = await asked(victim, lure)
    told = {"state": lured["state"], "code": "the victim's code"}
    with pytest.raises(StateInvalid):
        await victim.come_back(told, at="google")
    assert (mallory.forms, google.forms) == ([], [])
    with pytest.raises(StateInvalid):
        await victim.come_back(told, at=lure)
    assert mallory.forms == []


async def test_every_provider_is_told_a_place_of_its_own(app: App, people: People, mallory: Forger) -> None:
    """So Google refuses to send a browser to Mallory's, and the code is not traded by another's."""
    lure = await own_provider(app, people, mallory.issuer)
    places = {name: (await asked(Visitor(app), name))["redirect_uri"] for name in ("google", lure)}
    assert places == {
        name: f"https://api.example.org/v1/auth/sso/{name}/callback" for name in ("google", lure)
    }
    visitor = Visitor(app)
    state = (await asked(visitor, lure))["state"]
    assert await visitor.come_back({"state": state, "code": "c"}) == {
        "page": "1",
        "sso_error": "SSO_PROVIDER_FAILED",
    }
    assert [form["redirect_uri"] for form in mallory.forms] == [places[lure]]


async def test_nobody_is_sent_to_a_provider_that_speaks_for_no_verified_domain(
    app: App, people: People, mallory: Forger
) -> None:
    lure = await own_provider(app, people, mallory.issuer, verify=False)
    with pytest.raises(DomainNotVerified):
        await Visitor(app).begin(lure)
    assert mallory.asked == []
