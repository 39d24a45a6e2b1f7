"""Social log-ins: GitHub and Facebook as their documents say they answer, Google as an OpenID provider."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from auth.app import App
from auth.clients.social import Providers
from auth.domain.audit import Action
from auth.domain.challenges import PendingLogIn
from auth.domain.connections import ConnectionNotFound
from auth.domain.sessions import SessionTokens
from auth.domain.sso import EmailNotVouchedFor
from auth.settings import SocialSettings, SsoSettings
from auth.usecases import sso
from auth.usecases.sessions import get_profile

from .conftest import LOOPBACK_SSO, People
from .forger import Forger, running_forger
from .holders import Holder
from .openid_provider import Visitor

EMAIL = "swann@example.org"


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    async with running_forger() as running:
        running.answers |= {
            "/login/oauth/access_token": {"access_token": "access", "token_type": "bearer"},
            "/api/v3/user": {"id": 7, "login": "swann", "name": None},
            "/api/v3/user/emails": [
                {"email": "other@example.org", "primary": False, "verified": True},
                {"email": "Swann@example.org", "primary": True, "verified": True},
            ],
            "/oauth/access_token": {"access_token": "access"},
            "/me": {"id": "77", "name": "Charles Swann", "email": EMAIL},
        }
        yield running


@pytest.fixture
def settings(forger: Forger) -> SsoSettings:
    who = {"client_id": "us", "client_secret": "secret", "base_url": forger.issuer}
    social = {name: SocialSettings.model_validate(who) for name in ("google", "github", "facebook")}
    return LOOPBACK_SSO.model_copy(update={"social": social})


@pytest.fixture
async def app(app: App, settings: SsoSettings) -> AsyncIterator[App]:
    providers = Providers(settings)
    yield replace(app, providers=providers, sso=settings)
    await providers.close()


async def log_in(app: App, name: str, forger: Forger | None = None) -> SessionTokens | PendingLogIn:
    visitor = Visitor(app)
    asked = {key: each[0] for key, each in parse_qs(urlsplit(await visitor.begin(name)).query).items()}
    assert (asked["client_id"], asked["code_challenge_method"]) == ("us", "S256")
    if forger is not None:
        now = int(app.providers.issuers.clock())
        said = {"iss": forger.issuer, "aud": "us", "sub": "g7", "nonce": asked["nonce"], "iat": now}
        more = {"exp": now + 60, "email": EMAIL, "email_verified": True, "name": "Charles\n Swann"}
        forger.sign(json.dumps(said | more).encode())
    told = await visitor.come_back({"state": asked["state"], "code": "the code"})
    return await visitor.trade(told["sso_code"])


async def test_somebody_new_gets_an_account_and_an_organization(
    app: App, people: People, forger: Forger
) -> None:
    tokens = await log_in(app, "github")
    assert isinstance(tokens, SessionTokens)
    session = await people.session(tokens)
    profile = await get_profile(app, session.organization_id, session.user_id)
    assert (profile.email, profile.display_name, profile.grant.role) == (EMAIL, "swann", "owner")
    entry = (await people.log(session.organization_id))[0]
    assert (entry.action, entry.actor_id) == (Action.ORGANIZATION_CREATED, session.user_id)
    assert forger.forms[0]["code"] == "the code"
    assert len(forger.forms[0]["code_verifier"]) == 43
    assert forger.tokens[1:] == ["Bearer access", "Bearer access"]


async def test_whoever_has_an_account_gets_into_it_by_a_verified_address_and_stays_known(
    app: App, people: People, forger: Forger
) -> None:
    holder = await Holder.register(app, people, EMAIL)
    forger.be_openid()
    for name, provider in (("github", None), ("google", forger)):
        tokens = await log_in(app, name, provider)
        assert isinstance(tokens, SessionTokens)
        assert (await people.session(tokens)).user_id == holder.user
    forger.answers["/api/v3/user/emails"] = []
    again = await log_in(app, "github")
    assert isinstance(again, SessionTokens)
    assert (await people.session(again)).user_id == holder.user


@pytest.mark.parametrize(
    "emails",
    [
        [],
        [{"email": EMAIL, "primary": True, "verified": False}],
        [{"email": EMAIL, "primary": False, "verified": True}],
        [{"email": EMAIL, "primary": True, "verified": "true"}],
    ],
)
async def test_an_address_that_nobody_vouches_for_opens_no_account(
    app: App, people: People, forger: Forger, emails: list[object]
) -> None:
    await people.own(EMAIL)
    forger.answers["/api/v3/user/emails"] = emails
    with pytest.raises(EmailNotVouchedFor):
        await log_in(app, "github")


async def test_facebook_does_not_vouch_unless_the_operator_says_so(
    app: App, people: People, settings: SsoSettings
) -> None:
    await people.own(EMAIL)
    with pytest.raises(EmailNotVouchedFor):
        await log_in(app, "facebook")
    believed = settings.social["facebook"].model_copy(update={"trust_email": True})
    changed = settings.model_copy(update={"social": settings.social | {"facebook": believed}})
    providers = Providers(changed)
    assert isinstance(await log_in(replace(app, providers=providers), "facebook"), SessionTokens)
    await providers.close()


async def test_a_social_log_in_does_not_walk_around_a_second_factor(app: App, people: People) -> None:
    await (await Holder.register(app, people, EMAIL)).add_totp()
    assert isinstance(await log_in(app, "github"), PendingLogIn)


@pytest.mark.parametrize(
    "answers",
    [
        {"/login/oauth/access_token": {"error": "bad_verification_code"}},
        {"/api/v3/user": {"id": "7"}},
        {"/api/v3/user/emails": {}},
    ],
)
async def test_what_github_would_not_say_is_not_believed(
    app: App, forger: Forger, answers: dict[str, object]
) -> None:
    forger.answers |= answers
    visitor = Visitor(app)
    state = parse_qs(urlsplit(await visitor.begin("github")).query)["state"][0]
    told = await visitor.come_back({"state": state, "code": "c"})
    assert told == {"page": "1", "sso_error": "SSO_PROVIDER_FAILED"}


async def test_only_what_is_set_is_on(app: App, settings: SsoSettings) -> None:
    assert (await sso.find_sso(app, ""))[0] == ["facebook", "github", "google"]
    off = settings.model_copy(update={"social": {}})
    providers = Providers(off)
    with pytest.raises(ConnectionNotFound):
        await Visitor(replace(app, providers=providers, sso=off)).begin("github")
    await providers.close()
