"""Every list walked page by page while rows come and go: what stays is seen once, and nothing twice."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given

from auth.app import App
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.challenges import Factor
from auth.domain.privacy import RequestKind
from auth.domain.sso import SOCIAL, Assertion
from auth.store import audit
from auth.store import sso as sso_store
from auth.store.audit import Wanted
from auth.tables import (
    API_KEYS,
    IDENTITIES,
    INVITATIONS,
    MEMBERSHIPS,
    OPERATOR_ACCESSES,
    OPERATOR_SESSIONS,
    OPERATORS,
    ORGANIZATIONS,
    PASSKEYS,
    PRIVACY_REQUESTS,
    REMEMBERED_DEVICES,
    ROLES,
    SESSIONS,
    USERS,
)
from auth.usecases import (
    api_keys,
    audit_log,
    identities,
    invitations,
    members,
    operator_access,
    operator_sessions,
    operators,
    organizations,
    own_sessions,
    passkeys,
    privacy_wishes,
    roles,
    second_steps,
)
from servicekit import ids, paging, permissions
from servicekit.database import Transaction
from servicekit.identity import Caller
from servicekit.paging import Page
from testkit.authenticator import Authenticator
from testkit.paging import PLANS, WALKS, WHOLE, Copies, Listing, Plan, Read, copy, walk

from .conftest import People
from .holders import Holder
from .office import Office
from .operating import OWNER, Agent, Scene
from .staff import by, invite, log_in, own_role
from .test_api_keys import make as make_key

PAULETTE = Author(ActorKind.USER, ids.new())
_SINCE = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Log:
    """Entries that share a target, one transaction at a time. Nothing is ever taken out of it."""

    app: App
    chain: UUID

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        before = await self._newest()
        async with self.app.db.begin(self.chain) as tx:
            for _ in range(number):
                await audit.record(tx, self.chain, PAULETTE, Action.ROLE_DELETED, target=f"rol_{sort}")
        return range(before + 1, before + number + 1)

    async def remove(self, *_rows: Hashable) -> bool:
        return False

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        page = paging.page(size, token, "walk", keys=1)
        found, after = await audit_log.list_entries(self.app, self.chain, Wanted(), page)
        return [each.seq for each in found], after

    async def _newest(self) -> int:
        found, _ = await audit_log.list_entries(self.app, self.chain, Wanted(), paging.page(1, "", keys=1))
        return found[0].seq if found else 0


@dataclass(frozen=True)
class House:
    """An organization, and its owner, who has one row of what a walk copies."""

    people: People
    owner: Caller

    @property
    def app(self) -> App:
        return self.people.app

    @property
    def organization(self) -> UUID:
        return self.owner.tenant

    @property
    def user(self) -> UUID:
        assert self.owner.user is not None
        return self.owner.user

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        return self.app.db.begin_platform(reason="copy rows in a test")

    def copies(
        self, key: sa.Column[Any], template: object, read: Read, *, keys: int = 1, **how: Any
    ) -> Copies:
        return Copies(self.begin, key, template, read=read, keys=keys, **how)


def _hashed(column: str) -> Callable[[int, UUID], dict[str, Any]]:
    return lambda _sort, row: {column: row.bytes * 2}


def _addressed(sort: int, row: UUID) -> dict[str, Any]:
    return {"email": f"{sort}-{row}@example.org"}


def _since(sort: int, _row: UUID) -> dict[str, Any]:
    return {"created_at": _SINCE + timedelta(hours=sort, microseconds=sort)}


async def _log(house: House) -> Listing:
    return Log(house.app, ids.new())


async def _devices(house: House) -> Listing:
    holder = await Holder(house.app, house.user, OWNER).add_totp()
    await holder.answer(await holder.challenge(), Factor.TOTP, holder.code(), remember=True)
    (device,), _ = await second_steps.list_remembered_devices(house.app, house.user, WHOLE)
    read = partial(second_steps.list_remembered_devices, house.app, house.user)
    return house.copies(REMEMBERED_DEVICES.c.id, device.id, read, vary=_hashed("token_hash"))


async def _identities(house: House) -> Listing:
    assertion = Assertion("https://login.example", "somebody", OWNER, "Somebody")
    async with house.begin() as tx:
        await sso_store.insert_identity(tx, SOCIAL, assertion, house.user)
    read = partial(identities.list_identities, house.app, house.user)
    return house.copies(IDENTITIES.c.realm, SOCIAL, read, vary=_since, keys=2, shown=attrgetter("realm"))


async def _passkeys(house: House) -> Listing:
    await Holder(house.app, house.user, OWNER).add_passkey(Authenticator())
    (passkey,), _ = await passkeys.list_passkeys(house.app, house.user, WHOLE)
    read = partial(passkeys.list_passkeys, house.app, house.user)
    return house.copies(PASSKEYS.c.id, passkey.id, read, vary=_hashed("credential_id"))


async def _invitations(house: House) -> Listing:
    invitation = await invite(house.app, house.owner, "odette@example.org")
    read = partial(invitations.list_invitations, house.app, house.organization)
    return house.copies(INVITATIONS.c.id, invitation.id, read, vary=_addressed)


async def _keys(house: House) -> Listing:
    made = await make_key(house.app, house.owner)
    read = partial(api_keys.list_keys, house.app, house.organization)
    return house.copies(API_KEYS.c.id, made.key.id, read, vary=lambda _sort, row: {"short_id": row.hex})


async def _operator_sessions(house: House) -> Listing:
    agent = await Agent.add(house.app)
    session = await agent.session(await agent.log_in())
    read = partial(operator_sessions.list_operator_sessions, house.app, agent.id)
    return house.copies(OPERATOR_SESSIONS.c.id, session.id, read)


async def _operators(house: House) -> Listing:
    agent = await Agent.add(house.app)
    read = partial(operators.list_operators, house.app)
    return house.copies(OPERATORS.c.id, agent.id, read, vary=_addressed)


async def _found(house: House) -> Listing:
    read = partial(operator_access.search_organizations, house.app, "chez")
    return house.copies(ORGANIZATIONS.c.id, house.organization, read)


async def _accesses(house: House, listed: Callable[..., Any], *, to_all: bool = False) -> Listing:
    scene = Scene(house.app, house.people, house.organization, await Agent.add(house.app))
    access, _ = await scene.begin()
    read = partial(listed, house.app, None if to_all else house.organization)
    return house.copies(OPERATOR_ACCESSES.c.id, access.id, read)


async def _organizations(house: House) -> Listing:
    async def beside(tx: Transaction, made: Sequence[UUID]) -> None:
        await copy(tx, ORGANIZATIONS.c.id, house.organization, [{"id": each} for each in made])

    read = partial(organizations.list_organizations, house.app, house.user)
    return house.copies(
        MEMBERSHIPS.c.organization_id,
        house.organization,
        read,
        keys=2,
        vary=_since,
        shown=lambda each: each[0].id,
        beside=beside,
    )


async def _members(house: House) -> Listing:
    async def beside(tx: Transaction, made: Sequence[UUID]) -> None:
        await copy(tx, USERS.c.id, house.user, [{"id": each} | _addressed(0, each) for each in made])

    read = partial(members.list_members, house.app, house.organization)
    return house.copies(
        MEMBERSHIPS.c.user_id,
        house.user,
        read,
        keys=2,
        vary=_since,
        shown=attrgetter("user_id"),
        beside=beside,
    )


async def _requests(house: House) -> Listing:
    request = await Office(house.app, house.owner).ask(RequestKind.EXPORT)
    read = partial(privacy_wishes.list_requests, house.app, house.organization)
    return house.copies(PRIVACY_REQUESTS.c.id, request.id, read, vary=_hashed("subject_hash"))


async def _exports(house: House) -> Listing:
    request = await privacy_wishes.export_account(house.app, house.user, by=by(house.owner))
    read = partial(privacy_wishes.list_own_exports, house.app, house.user)
    return house.copies(PRIVACY_REQUESTS.c.id, request.id, read, vary=_hashed("subject_hash"))


async def _roles(house: House) -> Listing:
    role = await own_role(house.app, house.owner, "Cellar", "venues.read")

    async def read(page: Page) -> tuple[Sequence[Hashable], str]:
        built_in, own, token = await roles.list_roles(house.app, house.organization, page)
        return [*built_in, *(each.id for each in own)], token

    def vary(sort: int, row: UUID) -> dict[str, Any]:
        return {"name": f"Name {sort} {row}"}

    return house.copies(ROLES.c.id, role.id, read, vary=vary, keys=3, shown=lambda each: each)


async def _sessions(house: House) -> Listing:
    read = partial(own_sessions.list_sessions, house.app, house.user)
    return house.copies(SESSIONS.c.id, house.owner.session, read)


LISTS: dict[str, Callable[[House], Awaitable[Listing]]] = {
    "AuditService.ListAuditEntries": _log,
    "FactorService.ListRememberedDevices": _devices,
    "FactorService.ListIdentities": _identities,
    "PasskeyService.ListPasskeys": _passkeys,
    "InvitationService.ListInvitations": _invitations,
    "ApiKeyService.ListApiKeys": _keys,
    "OperatorSessionService.ListOperatorSessions": _operator_sessions,
    "OperatorService.ListOperators": _operators,
    "OperatorAccessService.SearchOrganizations": _found,
    "OperatorAccessService.ListAllOperatorAccess": partial(
        _accesses, listed=operator_access.list_all_access, to_all=True
    ),
    "OperatorAccessService.ListAllOperatorAccess to one organization": partial(
        _accesses, listed=operator_access.list_all_access
    ),
    "OperatorVisitService.ListOperatorAccess": partial(_accesses, listed=operator_access.list_access_to),
    "OrganizationService.ListOrganizations": _organizations,
    "MemberService.ListMembers": _members,
    "PrivacyService.ListPrivacyRequests": _requests,
    "MyDataService.ListMyDataExports": _exports,
    "RoleService.ListRoles": _roles,
    "SessionService.ListSessions": _sessions,
}


@pytest.fixture
async def house(people: People) -> House:
    await people.own(OWNER)
    return House(people, await log_in(people, OWNER))


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, house: House) -> Listing:
    return await LISTS[request.param](house)


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Listing, plan: Plan) -> None:
    await walk(listing, plan)


async def test_roles_go_on_from_the_built_in_to_the_organization_s_own(app: App) -> None:
    names: list[str] = []
    token = "first"
    while token:
        page = paging.page(2, "" if token == "first" else token, "roles", keys=3)
        built_in, own, token = await roles.list_roles(app, ids.new(), page)
        assert own == []
        names += built_in
    assert names == list(permissions.ROLES)
