"""Whatever ends a membership, or gives another role, records how many API keys of theirs hold on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from auth.app import App
from auth.domain.api_keys import Rules as KeyRules
from auth.domain.audit import Action
from auth.domain.connections import Connection
from auth.domain.scim import GroupWish, ScimUser, UserWish
from auth.usecases import api_keys, connections, leaving, members, scim_groups, scim_tokens, scim_users
from servicekit.identity import Caller

from .conftest import People
from .providers_of_people import connect, with_dns
from .staff import by, hire, log_in
from .test_reach_of_connections import arrive

OWNER, SWANN = "paulette@corp.example", "swann@corp.example"


@dataclass
class Firm:
    """An organization, its connection, and a member who has made a key."""

    app: App
    owner: Caller
    connection: Connection
    swann: Caller

    async def managed(self) -> ScimUser:
        """The member, as the provider manages them from now on."""
        await scim_tokens.create_token(self.app, self.owner, self.connection.id, by=by(self.owner))
        wish = UserWish(SWANN, "Swann", active=True)
        return await scim_users.create_user(self.app, self.connection, wish, by=by(self.owner))


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def firm(app: App, people: People) -> Firm:
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    swann = await hire(people, owner, SWANN, "admin")
    rules = KeyRules("Till", frozenset({"bookings.read"}))
    await api_keys.create_key(app, swann, rules, user_id=swann.user, by=by(swann))
    return Firm(app, owner, await connect(app, owner, "corp.example"), swann)


async def _removed(firm: Firm) -> None:
    assert firm.swann.user is not None
    await members.remove_member(firm.app, firm.owner, firm.swann.user, by=by(firm.owner))


async def _left(firm: Firm) -> None:
    assert firm.swann.user is not None
    await members.leave_organization(firm.app, firm.owner.tenant, firm.swann.user, by=by(firm.swann))


async def _deleted(firm: Firm) -> None:
    assert firm.swann.user is not None
    await leaving.delete_account(firm.app, firm.swann.user, by=by(firm.swann))


async def _dismissed(firm: Firm) -> None:
    user = await firm.managed()

    def inactive(_: ScimUser) -> UserWish:
        return UserWish(SWANN, "Swann", active=False)

    await scim_users.change_user(firm.app, firm.connection, user.id, inactive, by=by(firm.owner))


async def _forgotten(firm: Firm) -> None:
    user = await firm.managed()
    await scim_users.delete_user(firm.app, firm.connection, user.id, lambda _: None, by=by(firm.owner))


async def _grouped(firm: Firm) -> None:
    user = await firm.managed()
    wish = GroupWish("host", None, frozenset({user.id}))
    await scim_groups.create_group(firm.app, firm.connection, wish, by=by(firm.owner))


async def _claimed(firm: Firm) -> None:
    """A role by what the provider says at a log-in."""
    rules = type(firm.connection.rules)("viewer", role_claim="groups")
    changed = await connections.update_connection(
        firm.app,
        firm.owner,
        firm.connection.id,
        firm.connection.provider,
        rules,
        secret="",
        domains=["corp.example"],
        by=by(firm.owner),
    )
    await arrive(firm.app, changed, SWANN)


@pytest.mark.parametrize(
    ("go", "action"),
    [
        (_removed, Action.MEMBER_REMOVED),
        (_left, Action.MEMBER_LEFT),
        (_deleted, Action.ACCOUNT_DELETED),
        (_dismissed, Action.SCIM_USER_CHANGED),
        (_forgotten, Action.SCIM_USER_DELETED),
        (_grouped, Action.MEMBER_CHANGED),
        (_claimed, Action.MEMBER_CHANGED),
    ],
)
async def test_the_log_says_how_many_keys_of_theirs_hold_on(
    people: People, firm: Firm, go: Callable[[Firm], Awaitable[None]], action: Action
) -> None:
    await go(firm)
    entry = [each for each in await people.log(firm.owner.tenant) if each.action is action][-1]
    assert ((entry.before or {}) | (entry.after or {})).get("api_keys") == 1
