"""Log-in by an organization's connection, at a real OpenID provider in a process of its own."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import Action
from auth.domain.challenges import Factor, PendingLogIn
from auth.domain.connections import Connection, ConnectionNotFound, Provider, Rules
from auth.domain.roles import RoleNotFound
from auth.domain.sessions import SessionTokens
from auth.domain.sso import (
    CodeInvalid,
    DomainNotVerified,
    EmailNotOfDomain,
    EmailNotVouchedFor,
    ProviderFailed,
    ReturnNotAllowed,
    SsoRequired,
    StateInvalid,
)
from auth.store import accounts as account_store
from auth.tables import IDENTITIES, SSO_ARRIVALS, SSO_ATTEMPTS
from auth.usecases import connections, sso
from servicekit import ids
from servicekit.identity import Caller
from testkit.openid import ALGORITHMS

from .conftest import People
from .holders import Holder
from .openid_provider import SECRET, OpenIdProcess, Visitor, running_provider
from .staff import by, hire, log_in, own_role

OWNER = "paulette@corp.example"
SWANN = "swann@corp.example"
DOMAINS = ("corp.example",)
HOST = Rules("viewer", "groups", (("Hosts", "host"),))


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[OpenIdProcess]:
    async with running_provider() as running:
        yield running


@pytest.fixture
def app(app: App) -> App:
    async def everything_is_there(name: str) -> Sequence[str]:
        async with app.db.begin_platform(reason="play DNS in a test") as tx:
            query = sa.text("SELECT token FROM connection_domains WHERE '_comptoir.' || domain = :name")
            found = (await tx.execute(query, {"name": name})).scalars().all()
        return [f"comptoir-domain-verification={token}" for token in found]

    return replace(app, look_up_txt=everything_is_there)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def connect(
    app: App,
    caller: Caller,
    issuer: str,
    rules: Rules = HOST,
    *,
    domains: Sequence[str] = DOMAINS,
    client: str = "comptoir-rs256",
    verify: bool = True,
) -> Connection:
    made = await connections.create_connection(
        app,
        caller,
        Provider("Corp", issuer, client),
        rules,
        secret=SECRET,
        domains=domains,
        by=by(caller),
    )
    return await connections.verify_domains(app, caller, made.id, by=by(caller)) if verify else made


def name_of(connection: Connection) -> str:
    return ids.show("con", connection.id)


async def role_of(app: App, organization: UUID, user: UUID) -> str:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        profile = await account_store.find_profile(tx, organization, user)
    assert profile is not None
    return profile.grant.role


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_somebody_new_becomes_a_member_with_the_role_that_the_provider_says(
    app: App, people: People, owner: Caller, provider: OpenIdProcess, algorithm: str
) -> None:
    connection = await connect(app, owner, provider.issuer, client=provider.client(algorithm))
    tokens = await Visitor(app).log_in(name_of(connection), "swann")
    assert isinstance(tokens, SessionTokens)
    session = await people.session(tokens)
    assert (session.organization_id, session.methods) == (owner.tenant, ("fed",))
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        profile = await account_store.find_profile(tx, owner.tenant, session.user_id)
    assert profile is not None
    assert (profile.email, profile.display_name, profile.grant.role) == (SWANN, "Charles Swann", "host")
    actions = [entry.action for entry in await people.log(owner.tenant)]
    assert actions[-2:] == [Action.MEMBER_JOINED, Action.SESSION_OPENED]
    again = await Visitor(app).log_in(name_of(connection), "swann")
    assert isinstance(again, SessionTokens)
    assert (await people.session(again)).user_id == session.user_id


async def test_an_account_without_a_password_has_none_that_fits(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    await Visitor(app).log_in(name_of(await connect(app, owner, provider.issuer)), "swann")
    for password in ("", "seven herons over the canal"):
        with pytest.raises(InvalidCredentials):
            await people.log_in(SWANN, password=password)


async def test_roles_follow_the_provider_but_owners_stay_owners(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    swann = await hire(people, owner, SWANN, "viewer")
    connection = await connect(app, owner, provider.issuer)
    await Visitor(app).log_in(name_of(connection), "swann")
    assert await role_of(app, owner.tenant, swann.user or ids.new()) == "host"
    async with app.db.begin_platform(reason="make somebody an owner in a test") as tx:
        await tx.execute(
            sa.text("UPDATE memberships SET role = 'owner' WHERE user_id = :user"), {"user": swann.user}
        )
    await Visitor(app).log_in(name_of(connection), "swann")
    assert await role_of(app, owner.tenant, swann.user or ids.new()) == "owner"


async def test_without_a_role_claim_a_members_role_stays(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    swann = await hire(people, owner, SWANN, "manager")
    await Visitor(app).log_in(name_of(await connect(app, owner, provider.issuer, Rules("viewer"))), "swann")
    assert await role_of(app, owner.tenant, swann.user or ids.new()) == "manager"


async def test_a_role_that_is_gone_lets_nobody_in_with_another(
    app: App, owner: Caller, provider: OpenIdProcess
) -> None:
    role = await own_role(app, owner, "Cellar", "venues.read")
    connection = await connect(app, owner, provider.issuer, Rules(ids.show("rol", role.id)))
    async with app.db.begin(owner.tenant) as tx:
        await tx.execute(sa.text("DELETE FROM roles"))
    with pytest.raises(RoleNotFound):
        await Visitor(app).log_in(name_of(connection), "swann")


@pytest.mark.parametrize(
    ("person", "refusal"),
    [("unsure", EmailNotVouchedFor), ("foreign", EmailNotOfDomain), ("deeper", EmailNotOfDomain)],
)
async def test_only_verified_addresses_of_the_verified_domain_get_in(
    app: App, owner: Caller, provider: OpenIdProcess, person: str, refusal: type[Exception]
) -> None:
    connection = await connect(app, owner, provider.issuer)
    with pytest.raises(refusal):
        await Visitor(app).log_in(name_of(connection), person)


async def test_a_domain_that_is_not_verified_lets_nobody_in(
    app: App, owner: Caller, provider: OpenIdProcess
) -> None:
    connection = await connect(app, owner, provider.issuer, verify=False)
    with pytest.raises(DomainNotVerified):
        await Visitor(app).begin(name_of(connection))


async def test_a_connection_never_gets_at_an_account_that_has_left_its_domain(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    """Whoever runs the provider is not let into an account whose owner has another address by now."""
    connection = await connect(app, owner, provider.issuer)
    await Visitor(app).log_in(name_of(connection), "swann")
    async with app.db.begin_platform(reason="change an address in a test") as tx:
        query = sa.text("UPDATE users SET email = 'swann@private.example' WHERE email = :old")
        await tx.execute(query, {"old": SWANN})
    with pytest.raises(EmailNotOfDomain):
        await Visitor(app).log_in(name_of(connection), "swann")


async def test_what_one_organization_links_counts_in_no_other(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    """Both trust the same issuer; the second has no domain of the first's people."""
    await Visitor(app).log_in(name_of(await connect(app, owner, provider.issuer)), "swann")
    await people.own("marcel@other.example")
    marcel = await log_in(people, "marcel@other.example")
    theirs = await connect(app, marcel, provider.issuer, domains=("corp.example", "other.example"))
    assert [each.name for each in theirs.domains if each.verified_at] == ["other.example"]
    with pytest.raises(EmailNotOfDomain):
        await Visitor(app).log_in(name_of(theirs), "swann")
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        realms = (await tx.execute(sa.select(IDENTITIES.c.realm))).scalars().all()
    assert realms == [owner.tenant]


async def test_a_provider_does_not_walk_around_a_second_factor(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    swann = await (await Holder.register(app, people, SWANN)).add_totp()
    for rules in (HOST, replace(HOST, provides_second_factor=True)):
        connection = await connect(
            app, owner, provider.issuer, rules, domains=DOMAINS if rules is HOST else ()
        )
        if rules is not HOST:
            async with app.db.begin_platform(reason="hand a domain over in a test") as tx:
                query = sa.text("UPDATE connection_domains SET connection_id = :new")
                await tx.execute(query, {"new": connection.id})
        # The second time, because Swann is in another organization, too, whose door this must not open.
        pending = await Visitor(app).log_in(name_of(connection), "swann")
        assert isinstance(pending, PendingLogIn)
        await swann.let_codes_pass()
        assert (await swann.answer(pending, Factor.TOTP, swann.code()))[0].access_token


async def test_a_provider_that_asks_for_the_second_factor_is_believed_about_its_own_people(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    member = await hire(people, owner, SWANN, "viewer")
    swann = await Holder(app, member.user or ids.new(), SWANN).add_totp()
    connection = await connect(app, owner, provider.issuer, replace(HOST, provides_second_factor=True))
    tokens = await Visitor(app).log_in(name_of(connection), "swann")
    assert isinstance(tokens, SessionTokens)
    session = await people.session(tokens)
    assert (session.user_id, session.methods) == (swann.user, ("fed", "mfa"))


async def test_members_of_the_domain_must_use_the_connection_and_owners_need_not(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    await hire(people, owner, SWANN)
    await hire(people, owner, "guest@elsewhere.example")
    connection = await connect(app, owner, provider.issuer, replace(HOST, required=True))
    with pytest.raises(SsoRequired) as refusal:
        await people.log_in(SWANN)
    assert refusal.value.metadata == {"connection": name_of(connection)}
    with pytest.raises(InvalidCredentials):
        await people.log_in(SWANN, password="another password altogether")
    assert isinstance(await Visitor(app).log_in(name_of(connection), "swann"), SessionTokens)
    for email in (OWNER, "guest@elsewhere.example"):
        assert (await people.log_in(email)).access_token
    await connections.delete_connection(app, owner, connection.id, by=by(owner))
    assert (await people.log_in(SWANN)).access_token


async def test_a_state_serves_the_browser_that_began_and_once(
    app: App, owner: Caller, provider: OpenIdProcess
) -> None:
    name = name_of(await connect(app, owner, provider.issuer))
    visitor = Visitor(app)
    told = await visitor.at_provider(await visitor.begin(name), "swann")
    with pytest.raises(StateInvalid):
        await Visitor(app).come_back(told)
    with pytest.raises(StateInvalid):
        await visitor.come_back(told)
    told = await visitor.at_provider(await visitor.begin(name), "swann")
    assert "sso_code" in await visitor.come_back(told)
    with pytest.raises(StateInvalid):
        await visitor.come_back(told)


async def test_a_log_in_may_take_ten_minutes_and_its_code_one(
    app: App, people: People, owner: Caller, provider: OpenIdProcess
) -> None:
    name = name_of(await connect(app, owner, provider.issuer))
    visitor = Visitor(app)
    told = await visitor.at_provider(await visitor.begin(name), "swann")
    await people.age(SSO_ATTEMPTS, timedelta(minutes=10))
    with pytest.raises(StateInvalid):
        await visitor.come_back(told)
    code = await visitor.code(name, "swann")
    await people.age(SSO_ARRIVALS, timedelta(minutes=1))
    with pytest.raises(CodeInvalid):
        await visitor.trade(code)


async def test_a_code_serves_whoever_began_and_once(app: App, owner: Caller, provider: OpenIdProcess) -> None:
    name = name_of(await connect(app, owner, provider.issuer))
    visitor = Visitor(app)
    code = await visitor.code(name, "swann")
    with pytest.raises(CodeInvalid):
        await visitor.trade(code, verifier="x" * 43)
    with pytest.raises(CodeInvalid):
        await visitor.trade(code)
    code = await visitor.code(name, "swann")
    assert isinstance(await visitor.trade(code), SessionTokens)
    with pytest.raises(CodeInvalid):
        await visitor.trade(code)


@pytest.mark.parametrize("forged", ["https://evil.example", ""])
async def test_the_answer_must_name_the_provider_that_was_asked(
    app: App, owner: Caller, provider: OpenIdProcess, forged: str
) -> None:
    """Mix-up (RFC 9207): this provider says that it always names itself."""
    visitor = Visitor(app)
    told = await visitor.at_provider(
        await visitor.begin(name_of(await connect(app, owner, provider.issuer))), "swann"
    )
    assert told["iss"] == provider.issuer
    assert (await visitor.come_back(told | {"iss": forged}))["sso_error"] == "SSO_PROVIDER_FAILED"


async def test_whoever_refuses_at_the_provider_comes_back_with_that(
    app: App, owner: Caller, provider: OpenIdProcess
) -> None:
    visitor = Visitor(app)
    told = await visitor.at_provider(
        await visitor.begin(name_of(await connect(app, owner, provider.issuer))), None
    )
    assert await visitor.come_back(told) == {"page": "1", "sso_error": "SSO_DENIED"}


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/",
        "https://book.example.org.evil.example/",
        "https://book.example.org@evil.example/",
        "http://book.example.org/",
        "https://book.example.org:8443/",
        "//evil.example",
        "https://book.example.org\\@evil.example/",
        "javascript:alert(1)",
        "https://[",
    ],
)
async def test_browsers_are_sent_to_applications_alone(
    app: App, owner: Caller, provider: OpenIdProcess, place: str
) -> None:
    connection = await connect(app, owner, provider.issuer)
    with pytest.raises(ReturnNotAllowed):
        await Visitor(app).begin(name_of(connection), place)


async def test_a_provider_that_is_not_there_or_calls_itself_otherwise_is_not_asked(
    app: App, owner: Caller, provider: OpenIdProcess
) -> None:
    wrong = (provider.issuer + "/", "http://127.0.0.1:9", "http://10.0.0.1")
    for number, issuer in enumerate(wrong):
        connection = await connect(app, owner, issuer, domains=(f"corp{number}.example",))
        with pytest.raises(ProviderFailed):
            await Visitor(app).begin(name_of(connection))


async def test_connections_that_are_not_there(app: App) -> None:
    for name in ("google", "unknown", ids.show("con", ids.new()), "con_x"):
        with pytest.raises(ConnectionNotFound):
            await Visitor(app).begin(name)


async def test_a_domain_tells_its_connection_and_no_account(
    app: App, owner: Caller, provider: OpenIdProcess
) -> None:
    connection = await connect(app, owner, provider.issuer)
    for email in ("Nobody@CORP.example", OWNER):
        assert await sso.find_sso(app, email) == ([], connection.id)
    for email in ("", "corp.example", "x@elsewhere.example"):
        assert await sso.find_sso(app, email) == ([], None)
