"""Taking an address back throws out whoever had the account meanwhile, by every way in that they added."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from auth.app import App
from auth.clients.social import Providers
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.challenges import Factor, PendingLogIn
from auth.domain.identities import IdentityNotFound
from auth.domain.passkeys import LastWayIn, PasskeyUnknown
from auth.domain.sessions import SessionTokens
from auth.settings import SocialSettings
from auth.tables import PASSKEYS
from auth.usecases import addresses, credentials, identities, second_steps, sessions
from testkit.authenticator import Authenticator
from testkit.paging import WHOLE

from .conftest import BROWSER, LOOPBACK_SSO, PLACE, People
from .forger import Forger, running_forger
from .holders import Holder
from .mailbox import the_only, written
from .openid_provider import Visitor

OLD, THIEF = "old@example.org", "thief@example.org"
NEW = "nine kingfishers by the weir"
VISITOR = Author(ActorKind.NOBODY, address=PLACE)


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    async with running_forger() as running:
        running.be_openid()
        yield running


@pytest.fixture
async def app(app: App, forger: Forger) -> AsyncIterator[App]:
    who = {"client_id": "us", "client_secret": "secret", "base_url": forger.issuer}
    settings = LOOPBACK_SSO.model_copy(update={"social": {"google": SocialSettings.model_validate(who)}})
    providers = Providers(settings)
    yield replace(app, providers=providers, sso=settings)
    await providers.close()


@pytest.fixture
async def victim(app: App, people: People) -> Holder:
    return await Holder.register(app, people, OLD)


async def steal(app: App, victim: Holder) -> str:
    """Moves the account to the thief's address; answers the token that takes it back."""
    await addresses.ask_to_change_email(app, victim.user, THIEF, by=VISITOR)
    await addresses.confirm_email_change(app, (await the_only(app, MailKind.EMAIL_CHANGE)).token, by=VISITOR)
    return (await the_only(app, MailKind.EMAIL_CHANGED)).token


async def take_back(app: App, token: str) -> SessionTokens | PendingLogIn:
    """The owner takes the address back, sets a password, and logs in with it."""
    await addresses.revert_email_change(app, token, by=VISITOR)
    reset = (await written(app, MailKind.PASSWORD_RESET))[-1]
    await credentials.reset_password(app, reset.token, new=NEW, by=VISITOR)
    return await sessions.log_in(app, OLD, NEW, by=VISITOR, user_agent=BROWSER)


async def by_google(app: App, forger: Forger, *, subject: str, email: str) -> SessionTokens:
    visitor = Visitor(app)
    asked = {key: each[0] for key, each in parse_qs(urlsplit(await visitor.begin("google")).query).items()}
    now = int(app.providers.issuers.clock())
    said = {"iss": forger.issuer, "aud": "us", "sub": subject, "nonce": asked["nonce"], "iat": now}
    forger.sign(json.dumps(said | {"exp": now + 60, "email": email, "email_verified": True}).encode())
    told = await visitor.come_back({"state": asked["state"], "code": "the code"})
    tokens = await visitor.trade(told["sso_code"])
    assert isinstance(tokens, SessionTokens)
    return tokens


@pytest.mark.parametrize("first", [True, False], ids=["before the change", "after it"])
async def test_a_passkey_that_the_thief_added_opens_nothing_any_more(
    app: App, victim: Holder, *, first: bool
) -> None:
    device = Authenticator()
    if first:
        await victim.add_passkey(device, "thief")
    token = await steal(app, victim)
    if not first:
        await victim.add_passkey(device, "thief")
    assert isinstance(await take_back(app, token), SessionTokens)
    answer = device.use(await second_steps.begin_passkey_use(app))
    with pytest.raises(PasskeyUnknown):
        await second_steps.log_in_with_passkey(app, answer, by=VISITOR, user_agent=BROWSER)
    told = await the_only(app, MailKind.PASSKEY_REMOVED)
    assert told.email == OLD


async def test_an_authenticator_app_that_the_thief_added_is_not_asked_for(
    app: App, people: People, victim: Holder
) -> None:
    token = await steal(app, victim)
    await victim.add_totp()
    assert isinstance(await take_back(app, token), SessionTokens)
    removed = [each for each in await people.log(PLATFORM_CHAIN) if each.action is Action.FACTOR_REMOVED]
    assert [each.after for each in removed] == [{"factor": Factor.TOTP.value}]
    assert (await the_only(app, MailKind.TOTP_REMOVED)).email == OLD


async def test_an_account_at_a_provider_that_the_thief_linked_is_somebody_elses(
    app: App, people: People, victim: Holder, forger: Forger
) -> None:
    token = await steal(app, victim)
    linked = await by_google(app, forger, subject="thief", email=THIEF)
    assert (await people.session(linked)).user_id == victim.user
    await take_back(app, token)
    again = await by_google(app, forger, subject="thief", email=THIEF)
    assert (await people.session(again)).user_id != victim.user
    actions = [each.action for each in await people.log(PLATFORM_CHAIN)]
    assert actions.count(Action.IDENTITY_UNLINKED) == 1


async def test_what_the_owner_had_long_before_stays_so_that_the_old_mailbox_alone_opens_nothing(
    app: App, people: People, victim: Holder, forger: Forger
) -> None:
    mine, thiefs = Authenticator(), Authenticator()
    await victim.add_passkey(mine, "mine")
    await people.age(PASSKEYS, timedelta(days=2))
    token = await steal(app, victim)
    await victim.add_passkey(thiefs, "thief")
    pending = await take_back(app, token)
    assert isinstance(pending, PendingLogIn)
    assert pending.factors == (Factor.PASSKEY,)
    answer = mine.use(await second_steps.begin_passkey_use(app))
    assert await second_steps.log_in_with_passkey(app, answer, by=VISITOR, user_agent=BROWSER)


async def test_a_linked_account_is_told_listed_and_unlinked_by_its_owner_alone(
    app: App, people: People, victim: Holder, forger: Forger
) -> None:
    stranger = await Holder.register(app, people, "stranger@example.org")
    await by_google(app, forger, subject="mine", email=OLD)
    assert (await the_only(app, MailKind.IDENTITY_LINKED)).email == OLD
    (linked,) = (await identities.list_identities(app, victim.user, WHOLE))[0]
    assert (linked.issuer, linked.organization_id) == (forger.issuer, None)
    assert (await identities.list_identities(app, stranger.user, WHOLE))[0] == []
    with pytest.raises(IdentityNotFound):
        await identities.unlink_identity(app, stranger.user, linked.id, by=stranger.by)
    await identities.unlink_identity(app, victim.user, linked.id, by=victim.by)
    assert (await identities.list_identities(app, victim.user, WHOLE))[0] == []
    with pytest.raises(IdentityNotFound):
        await identities.unlink_identity(app, victim.user, linked.id, by=victim.by)
    elsewhere = await by_google(app, forger, subject="mine", email="another@example.org")
    assert (await people.session(elsewhere)).user_id != victim.user


async def test_the_only_way_into_an_account_is_not_unlinked_and_making_one_mails_nothing(
    app: App, people: People, forger: Forger
) -> None:
    made = await people.session(await by_google(app, forger, subject="swann", email="swann@example.org"))
    assert await written(app, MailKind.IDENTITY_LINKED) == []
    (linked,) = (await identities.list_identities(app, made.user_id, WHOLE))[0]
    by = Author(ActorKind.USER, made.user_id, address=PLACE)
    with pytest.raises(LastWayIn):
        await identities.unlink_identity(app, made.user_id, linked.id, by=by)
