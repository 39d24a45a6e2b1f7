"""Lists of an organization, walked while rows come and go: what stays is seen once, and nothing twice."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from operator import attrgetter
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given

from auth.app import App
from auth.domain.audit import Action, ActorKind, Author, Entry
from auth.domain.privacy import RequestKind
from auth.store import audit
from auth.store.audit import Wanted
from auth.tables import (
    API_KEYS,
    INVITATIONS,
    MEMBERSHIPS,
    ORGANIZATIONS,
    PRIVACY_REQUESTS,
    ROLES,
    USERS,
)
from auth.usecases import (
    api_keys,
    audit_log,
    invitations,
    members,
    organizations,
    privacy_wishes,
    roles,
)
from servicekit import ids, paging, permissions
from servicekit.database import Transaction
from servicekit.paging import Page
from testkit.paging import PLANS, WALKS, Listing, PageLost, Plan, Read, copy, walk

from .conftest import People
from .office import Office
from .staff import invite, own_role
from .test_api_keys import make as make_key
from .walked import House, addressed, hashed, since

PAULETTE = Author(ActorKind.USER, ids.new())
FOR_PAULETTE = Author(ActorKind.KEY, ids.new(), on_behalf_of=PAULETTE.id)
HAPPENS = (
    (PAULETTE, Action.ROLE_DELETED, "rol_1"),
    (Author(ActorKind.USER, ids.new()), Action.ROLE_DELETED, "rol_1"),
    (FOR_PAULETTE, Action.ROLE_CREATED, "rol_2"),
    (PAULETTE, Action.ROLE_DELETED, "rol_2"),
    (Author(ActorKind.SYSTEM), Action.ROLE_CREATED, "rol_1"),
)


@dataclass(frozen=True)
class Log:
    """Entries of many authors, actions and targets. Nothing is ever taken out of it."""

    app: App
    chain: UUID
    wanted: Wanted
    """What is walked: only such entries are listed, whatever stands between them."""

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        happened = islice(cycle(HAPPENS), sort, sort + number)
        async with self.app.db.begin(self.chain) as tx:
            made = [
                await audit.record(tx, self.chain, author, action, target=target)
                for author, action, target in happened
            ]
        return [each.seq for each in made if self._fits(each)]

    async def remove(self, *_rows: Hashable) -> bool:
        return False

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        page = paging.page(size, token, "walk", keys=1)
        found, after = await audit_log.list_entries(self.app, self.chain, self.wanted, page)
        if not all(map(self._fits, found)):
            message = f"not wanted: {[each.seq for each in found if not self._fits(each)]}"
            raise PageLost(message)
        return [each.seq for each in found], after

    def _fits(self, entry: Entry) -> bool:
        wanted = self.wanted
        return (
            wanted.actor_id in {None, entry.actor_id, entry.on_behalf_of}
            and wanted.action in {None, entry.action}
            and wanted.target in {None, entry.target}
        )


async def _log(house: House, **wanted: Any) -> Listing:
    return Log(house.app, ids.new(), Wanted(**wanted))


async def _invitations(house: House) -> Listing:
    invitation = await invite(house.app, house.owner, "odette@example.org")
    read = partial(invitations.list_invitations, house.app, house.organization)
    return house.copies(INVITATIONS.c.id, invitation.id, read, vary=addressed)


async def _keys(house: House) -> Listing:
    made = await make_key(house.app, house.owner)
    read = partial(api_keys.list_keys, house.app, house.organization)
    return house.copies(API_KEYS.c.id, made.key.id, read, vary=lambda _sort, row: {"short_id": row.hex})


def _memberships(
    house: House,
    key: sa.Column[Any],
    template: UUID,
    read: Read,
    *,
    of: sa.Column[Any],
    vary: Callable[[UUID], dict[str, Any]],
    shown: Callable[[Any], Hashable],
) -> Listing:
    """Copies of the owner's membership, each with a copy of what its `key` refers to, the key `of`."""

    async def beside(tx: Transaction, made: Sequence[UUID]) -> None:
        await copy(tx, of, template, [{of.name: each} | vary(each) for each in made])

    return house.copies(key, template, read, keys=2, vary=since, shown=shown, beside=beside)


async def _organizations(house: House) -> Listing:
    return _memberships(
        house,
        MEMBERSHIPS.c.organization_id,
        house.organization,
        partial(organizations.list_organizations, house.app, house.user),
        of=ORGANIZATIONS.c.id,
        vary=lambda _row: {},
        shown=lambda each: each[0].id,
    )


async def _members(house: House) -> Listing:
    return _memberships(
        house,
        MEMBERSHIPS.c.user_id,
        house.user,
        partial(members.list_members, house.app, house.organization),
        of=USERS.c.id,
        vary=partial(addressed, 0),
        shown=attrgetter("user_id"),
    )


async def _requests(house: House) -> Listing:
    request = await Office(house.app, house.owner).ask(RequestKind.EXPORT)
    read = partial(privacy_wishes.list_requests, house.app, house.organization)
    return house.copies(PRIVACY_REQUESTS.c.id, request.id, read, vary=hashed("subject_hash"))


async def _roles(house: House) -> Listing:
    role = await own_role(house.app, house.owner, "Cellar", "venues.read")

    async def read(page: Page) -> tuple[Sequence[Hashable], str]:
        built_in, own, token = await roles.list_roles(house.app, house.organization, page)
        return [*built_in, *(each.id for each in own)], token

    def vary(sort: int, row: UUID) -> dict[str, Any]:
        return {"name": f"Name {sort} {row}"}

    return house.copies(ROLES.c.id, role.id, read, vary=vary, keys=3, shown=lambda each: each)


LISTS: dict[str, Callable[[House], Awaitable[Listing]]] = {
    "AuditService.ListAuditEntries": _log,
    "AuditService.ListAuditEntries of an actor": partial(_log, actor_id=PAULETTE.id),
    "AuditService.ListAuditEntries of an action": partial(_log, action=Action.ROLE_CREATED),
    "AuditService.ListAuditEntries of a target by an actor": partial(
        _log, target="rol_1", actor_id=PAULETTE.id
    ),
    "InvitationService.ListInvitations": _invitations,
    "ApiKeyService.ListApiKeys": _keys,
    "OrganizationService.ListOrganizations": _organizations,
    "MemberService.ListMembers": _members,
    "PrivacyService.ListPrivacyRequests": _requests,
    "RoleService.ListRoles": _roles,
}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, people: People) -> Listing:
    return await LISTS[request.param](await House.open(people))


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
