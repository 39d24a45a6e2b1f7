"""Filters as SQL against the library's own evaluation on every resource: a brute-force oracle."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scim2_models import InvalidFilterException, Resource
from scim2_models.path import ScimFilter

from auth.app import App
from auth.domain.connections import Connection
from auth.domain.scim import GroupWish, ScimGroup, ScimUser, UserWish
from auth.servicer.scim.kinds import GROUPS, USERS
from auth.servicer.scim.models import Group, User
from auth.store.scim_filters import Matching
from auth.usecases import scim_groups, scim_users
from servicekit import ids

from .conftest import People
from .providers_of_people import connect, with_dns
from .staff import by, log_in

NAMES = [
    "Odette",
    "odette de Crécy",
    "ÉMILE",
    "émile",
    "İpek",
    "ΣΊΣΥΦΟΣ",
    "Straße",
    'He said "no"',
    "a%b_c\\d",
]
EXTERNAL = [None, "1", "A", "a", "Å"]  # the last one is the Ångström sign, which NFC makes a letter
PIECES = [
    "o",
    "OD",
    "é",
    "É",
    "i̇",
    "ς",
    "σ",  # noqa: RUF001  # the other sigma
    "ß",
    "ss",
    '"',
    "%",
    "_",
    "\\",
    "@corp",
    "corp.example",
    "",
    "A",
]


class World:
    """Users and groups, as rows and as resources."""

    def __init__(self, app: App, connection: Connection) -> None:
        self.app, self.connection = app, connection
        self.users: list[ScimUser] = []
        self.groups: list[ScimGroup] = []

    async def fill(self, caller: Any) -> None:
        """A user for each name, some gone, and groups of some of them."""
        for number, name in enumerate(NAMES):
            wish = UserWish(
                f"{'oaex'[number % 4]}{number}@corp.example", name, number % 3 != 0, EXTERNAL[number % 5]
            )
            self.users.append(await scim_users.create_user(self.app, self.connection, wish, by=by(caller)))
        for number, name in enumerate(NAMES[:5]):
            members = frozenset(each.id for each in self.users[: number * 2])
            made = GroupWish(f"{name}{number}", EXTERNAL[number], members)
            self.groups.append(await scim_groups.create_group(self.app, self.connection, made, by=by(caller)))
        self.users = (await scim_users.list_users(self.app, self.connection, Matching(), skip=0, most=99))[0]

    async def check(self, kind: Any, text: str) -> None:
        """The same by SQL and by the oracle."""
        rows = self.users if kind is USERS else self.groups
        bound: Any = ScimFilter[User] if kind is USERS else ScimFilter[Group]
        wanted = bound(text)
        resources: list[Resource[Any]] = [kind.show(each, "https://x") for each in rows]
        expected = [each.id for each in resources if wanted.match(each)]
        found, total = await kind.list(self.app, self.connection, Matching(wanted.ast), skip=0, most=99)
        assert [kind.show(each, "https://x").id for each in found] == expected, text
        assert total == len(expected)


@pytest.fixture
async def world(app: App, people: People) -> World:
    app = with_dns(app)
    await people.own("paulette@corp.example")
    owner = await log_in(people, "paulette@corp.example")
    made = World(app, await connect(app, owner, "corp.example"))
    await made.fill(owner)
    return made


texts = st.one_of(
    st.sampled_from(PIECES),
    st.sampled_from(NAMES),
    st.sampled_from([each for each in EXTERNAL if each]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=3),
)


def compared(name: str, *operators: str) -> st.SearchStrategy[str]:
    values = st.one_of(texts.map(ScimFilter.quote), st.just("null"))
    return st.builds(lambda op, value: f"{name} {op} {value}", st.sampled_from(operators), values)


def only_text(name: str, *operators: str) -> st.SearchStrategy[str]:
    return st.builds(
        lambda op, value: f"{name} {op} {ScimFilter.quote(value)}", st.sampled_from(operators), texts
    )


def one_of(names: list[str], ids_: list[str], id_name: str) -> st.SearchStrategy[str]:
    """Any comparison of these attributes."""
    equal, parts = ("eq", "ne"), ("co", "sw", "ew")
    return st.one_of(
        *(compared(name, *equal) for name in names),
        *(only_text(name, *parts) for name in names),
        st.sampled_from([f"{each} pr" for each in names]),
        st.builds(
            lambda op, value: f'{id_name} {op} "{value}"', st.sampled_from(equal), st.sampled_from(ids_)
        ),
    )


def joined(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not ({})".format, inner),
        ),
        max_leaves=5,
    )


def user_filters(world: World) -> st.SearchStrategy[str]:
    known = [ids.show("scu", each.id) for each in world.users] + ["scu_0", ids.show("scu", ids.new())]
    names = ["userName", "USERNAME", "externalId", "displayName", "emails.value", "emails"]
    special = st.sampled_from(
        [
            "active eq true",
            "active eq false",
            "active ne true",
            "active pr",
            'emails[type eq "work"]',
            'emails[type eq "home"]',
            'emails[primary eq true and value co "o"]',
            'emails[not (value sw "o")]',
            "urn:ietf:params:scim:schemas:core:2.0:User:displayName pr",
        ]
    )
    return joined(st.one_of(one_of(names, known, "id"), special))


def group_filters(world: World) -> st.SearchStrategy[str]:
    known = [ids.show("scu", each.id) for each in world.users] + ["scu_0"]
    mine = [ids.show("scg", each.id) for each in world.groups] + ["scg_0"]
    names = ["displayName", "externalId"]
    return joined(
        st.one_of(
            one_of(names, mine, "id"),
            one_of(names, known, "members.value"),
            one_of(names, known, "members"),
            st.sampled_from(known).map(lambda each: f'members[value eq "{each}"]'),
            st.sampled_from(known).map(lambda each: f'members[not (value eq "{each}")]'),
            st.sampled_from(["members pr", "members.value pr", 'members[type eq "user"]']),
        )
    )


# Hypothesis draws in a thread of its own, and takes numbers that the loop draws meanwhile for the strategy's.
_OTHERS_DRAW = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


async def agree(world: World, kind: Any, filters: st.SearchStrategy[str]) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(filters)
    def same(text: str) -> None:
        asyncio.run_coroutine_threadsafe(world.check(kind, text), loop).result(30)

    await asyncio.to_thread(same)


@_OTHERS_DRAW
async def test_filters_of_users_mean_what_the_oracle_says(world: World) -> None:
    await agree(world, USERS, user_filters(world))


@_OTHERS_DRAW
async def test_filters_of_groups_mean_what_the_oracle_says(world: World) -> None:
    await agree(world, GROUPS, group_filters(world))


async def test_the_world_tells_filters_apart(world: World) -> None:
    """The control: both answers occur, so that the comparison above compares something."""
    for text, count in (
        ('displayName eq "éMILE"', 2),
        ('displayName co "σίσυ"', 1),
        ('displayName sw "i̇p"', 1),
        ('externalId eq "a"', 2),
        ('externalId eq "å"', 0),
        ("active eq false", 3),
        ("externalId eq null", 2),
    ):
        _, total = await scim_users.list_users(
            world.app, world.connection, Matching(ScimFilter(text).ast), skip=0, most=9
        )
        assert total == count, text


async def test_a_filter_is_no_sql_and_never_breaks_it(world: World) -> None:
    for value in ("'; DROP TABLE scim_users; --", "\\", "%", "\x00", "\ud800"):
        node = ScimFilter(f"displayName ne {ScimFilter.quote(value)}").ast
        assert (await scim_users.list_users(world.app, world.connection, Matching(node), skip=0, most=1))[
            1
        ] == 9
    async with world.app.db.begin_platform(reason="look into the database in a test") as tx:
        assert (await tx.execute(sa.text("SELECT count(*) FROM scim_users"))).scalar_one() == 9


async def test_what_cannot_be_filtered_by_is_said_unless_other_kinds_have_it(world: World) -> None:
    node = ScimFilter('members eq "x"').ast
    with pytest.raises(InvalidFilterException):
        await scim_users.list_users(world.app, world.connection, Matching(node), skip=0, most=1)
    both = ScimFilter('displayName pr or members[value eq "x"]').ast
    found = await scim_users.list_users(
        world.app, world.connection, Matching(both, lenient=True), skip=0, most=1
    )
    assert found[1] == 9
