"""A foreign id costs what a random one costs: the same answer by the same statements, of each RPC of members.

Compared are statements, not times: those tell the same on any machine, however busy.
"""

from typing import Any
from uuid import UUID

import pytest

from auth.app import App
from auth.domain.challenges import Factor
from auth.domain.identities import Identity
from auth.domain.privacy import RequestKind, Subject
from auth.domain.sso import SOCIAL, Assertion
from auth.servicer import servicers
from auth.store import identities as identity_store
from auth.store import passkeys as passkey_store
from auth.store import sso as sso_store
from auth.usecases import privacy_wishes, second_steps, sites, web_domains
from servicekit import ids
from servicekit.api_versions import NEWEST
from servicekit.identity import Caller
from testkit.authenticator import Authenticator
from testkit.edge import Edge
from testkit.foreign_ids import ask, compare, request_of, rpcs_with_ids
from testkit.paging import WHOLE
from testkit.plugin import StartEdge

from .conftest import PASSWORD, People
from .holders import Holder
from .operating import OWNER as THEIR_OWNER
from .operating import Agent, Scene
from .providers_of_people import connect, token_of, with_dns
from .staff import by, hire, invite, log_in, own_role
from .test_api_keys import make as make_key

_ROLE = {"name": "Cellar", "permissions": ["venues.read"]}
_SETTINGS = {
    "settings": {"name": "Corp", "issuer": "https://login.example", "clientId": "us", "defaultRole": "viewer"}
}
_PERIODS = ("guestDays", "wishDays", "ticketDays", "mailDays", "deliveryDays")
VALID: dict[str, dict[str, Any]] = {
    "CreateApiKey": _ROLE,
    "CreateConnection": _SETTINGS | {"clientSecret": PASSWORD},
    "CreateInvitation": {"email": "stolen@guest.example", "role": "viewer"},
    "CreateOrigin": {"origin": "https://www.stolen.example"},
    "CreatePrivacyRequest": {"kind": "PRIVACY_REQUEST_KIND_EXPORT", "email": "stolen@guest.example"},
    "CreateRole": _ROLE,
    "CreateWebDomain": {"domain": "book.stolen.example"},
    "ListNamesOfNumber": {"phone": "+33612345678"},
    "RaiseApiKeyVersion": {"version": NEWEST},
    "RenamePasskey": {"name": "Phone"},
    "UpdateConnection": _SETTINGS,
    "UpdateMember": {"role": "host"},
    "UpdateOrganization": {"name": "Stolen"},
    "UpdateRetention": dict.fromkeys(_PERIODS, 100),
    "UpdateRole": _ROLE,
    "UpdateTheme": {"background": "#ffffff", "text": "#000000", "accent": "#000000"},
}
ORIGIN, DOMAIN = "https://www.corp.example", "book.corp.example"
KNOWN_TO_OTHERS = frozenset({"venue_ids"})
"""Ids that auth looks up nowhere: booking alone knows venues."""


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def owner(people: People) -> Caller:
    """Of another organization."""
    await people.own(THEIR_OWNER)
    return await log_in(people, THEIR_OWNER)


@pytest.fixture
async def theirs(app: App, people: People, owner: Caller) -> dict[str, str]:
    """Something of every kind that the other organization has, or its owner, by its name in requests."""
    organization = owner.tenant
    agent = await Agent.add(app)
    access, _ = await Scene(app, people, organization, agent).begin()
    assert owner.user is not None
    assert owner.session is not None
    connection = await connect(app, owner, "corp.example")
    await token_of(app, owner, connection)
    colleague = await hire(people, owner, "odette@example.org")
    subject = Subject.of("guest@guest.example", "")
    wish = await privacy_wishes.create_request(
        app, organization, owner.user, RequestKind.EXPORT, subject, key=None, by=by(owner)
    )
    made = {
        "organization_id": ("org", organization),
        "access_id": ("acc", access.id),
        "user_id": ("usr", colleague.user),
        "actor_id": ("usr", colleague.user),
        "connection_id": ("con", connection.id),
        "origin_id": ("ori", (await sites.create_origin(app, organization, ORIGIN, by=by(owner))).id),
        "domain_id": ("dom", (await web_domains.create_domain(app, organization, DOMAIN, by=by(owner))).id),
        "key_id": ("key", (await make_key(app, owner)).key.id),
        "role_id": ("rol", (await own_role(app, owner, "Cellar", "venues.read")).id),
        "invitation_id": ("inv", (await invite(app, owner, "later@example.org")).id),
        "request_id": ("prq", wish.id),
        "export_id": ("prq", (await privacy_wishes.export_account(app, owner.user, by=by(owner))).id),
        "session_id": ("ses", owner.session),
        **await _of_person(app, owner.user),
    }
    return {name: ids.show(kind, id_) for name, (kind, id_) in made.items() if id_ is not None}


async def _of_person(app: App, user: UUID) -> dict[str, tuple[str, UUID]]:
    """A passkey, a remembered device and an account at a provider."""
    holder = Holder(app, user, THEIR_OWNER)
    device = Authenticator()
    await holder.add_passkey(device)
    pending = await holder.challenge()
    answer = device.use(await second_steps.begin_passkey_use(app))
    await holder.answer(pending, Factor.PASSKEY, answer, remember=True)
    (remembered,) = (await second_steps.list_remembered_devices(app, user, WHOLE))[0]
    assertion = Assertion("https://login.example", "somebody", THEIR_OWNER, "Somebody")
    async with app.db.begin_platform(reason="link an account in a test") as tx:
        await sso_store.insert_identity(tx, SOCIAL, assertion, user)
        (identity,) = await identity_store.list_identities(tx, user)
        (passkey,) = await passkey_store.list_passkeys(tx, user)
    assert isinstance(identity, Identity)
    return {
        "device_id": ("rdv", remembered.id),
        "identity_id": ("idn", identity.id),
        "passkey_id": ("pky", passkey.id),
    }


@pytest.fixture
async def stranger(people: People, theirs: dict[str, str]) -> Caller:
    await people.own("swann@other.example")
    return await log_in(people, "swann@other.example")


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


async def test_a_foreign_id_is_refused_by_the_same_statements_as_a_random_one(
    app: App, edge: Edge, stranger: Caller, theirs: dict[str, str]
) -> None:
    compared = await compare(edge, app.db, stranger, theirs, valid=VALID, ignored=KNOWN_TO_OTHERS)
    assert len(compared) > 40
    assert [each for each in compared if not each.same_answer] == []
    assert [each.method for each in compared if not each.same_work] == []
    found = [each.method for each in compared if "_NOT_FOUND: " not in each.answer]
    assert found == ["ListAuditEntries"]  # a filter: nothing of others is shown
    silent = {each.method for each in compared if not each.looked}
    of_organization = {
        rpc.method.name for rpc, names in rpcs_with_ids("auth") if set(names) == {"organization_id"}
    }
    assert silent <= of_organization | {"CreateApiKey", "CreateInvitation"}


async def test_the_control_the_owner_finds_them(edge: Edge, owner: Caller, theirs: dict[str, str]) -> None:
    """Else all of the above could be refused for some other reason, before anybody looks."""
    for rpc, names in rpcs_with_ids("auth", ignored=KNOWN_TO_OTHERS):
        if rpc.method.name in {"GetPrivacyRequest", "GetRole", "GetScimToken", "RenamePasskey", "UpdateRole"}:
            request = request_of(rpc, owner, {name: theirs[name] for name in names}, valid=VALID)
            assert "_NOT_FOUND" not in await ask(edge, rpc, owner, request)
