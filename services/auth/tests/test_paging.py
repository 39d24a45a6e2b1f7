"""The audit log walked page by page while it grows: nothing is ever taken out of it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from uuid import UUID

from hypothesis import given

from auth.app import App
from auth.domain.audit import Action, ActorKind, Author
from auth.store import audit
from auth.store.audit import Wanted
from auth.usecases import audit_log, roles
from servicekit import ids, paging, permissions
from testkit.paging import PLANS, WALKS, Plan, walk

PAULETTE = Author(ActorKind.USER, ids.new())


@dataclass(frozen=True)
class Log:
    """Entries that share a target, one transaction at a time."""

    app: App
    chain: UUID

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        before = await self._newest()
        async with self.app.db.begin(self.chain) as tx:
            for _ in range(number):
                await audit.record(tx, self.chain, PAULETTE, Action.ROLE_DELETED, target=f"rol_{sort}")
        return range(before + 1, before + number + 1)

    async def remove(self, _row: Hashable) -> bool:
        return False

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        page = paging.page(size, token, "walk", keys=1)
        found, after = await audit_log.list_entries(self.app, self.chain, Wanted(), page)
        return [each.seq for each in found], after

    async def _newest(self) -> int:
        found, _ = await audit_log.list_entries(self.app, self.chain, Wanted(), paging.page(1, "", keys=1))
        return found[0].seq if found else 0


@WALKS
@given(plan=PLANS)
async def test_entries_that_were_there_are_seen_once_while_others_come(app: App, plan: Plan) -> None:
    await walk(Log(app, ids.new()), plan)


async def test_roles_go_on_from_the_built_in_to_the_organization_s_own(app: App) -> None:
    names: list[str] = []
    token = "first"
    while token:
        page = paging.page(2, "" if token == "first" else token, "roles", keys=3)
        built_in, own, token = await roles.list_roles(app, ids.new(), page)
        assert own == []
        names += built_in
    assert names == list(permissions.ROLES)
