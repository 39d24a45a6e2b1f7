"""Whom an organization has removed does not come back by logging in at their provider."""

import pytest

from auth.app import App
from auth.domain.audit import Action
from auth.domain.members import MemberRemoved
from auth.domain.sessions import SessionTokens
from auth.usecases import members
from servicekit import ids
from servicekit.identity import Caller

from .conftest import People
from .providers_of_people import connect, roles_of, with_dns
from .staff import by, hire, invite, join, link, log_in
from .test_reach_of_connections import arrive

OWNER, SWANN, ODETTE = "paulette@corp.example", "swann@corp.example", "odette@corp.example"


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def test_only_an_invitation_brings_back_who_was_removed(
    app: App, people: People, owner: Caller
) -> None:
    venue = ids.new()
    swann = await hire(people, owner, SWANN, venues=frozenset({venue}))
    connection = await connect(app, owner, "corp.example")
    assert isinstance(await arrive(app, connection, SWANN), SessionTokens)
    assert swann.user is not None
    await members.remove_member(app, owner, swann.user, by=by(owner))
    for _ in range(2):
        with pytest.raises(MemberRemoved):
            await arrive(app, connection, SWANN)
    assert SWANN not in await roles_of(app, owner.tenant)
    (entry,) = [each for each in await people.log(owner.tenant) if each.action is Action.MEMBER_REMOVED]
    assert entry.after == {"joins_by_connection": False}
    await join(app, await link(app, await invite(app, owner, SWANN, venues=frozenset({venue}))))
    assert isinstance(await arrive(app, connection, SWANN), SessionTokens)
    assert (await log_in(people, SWANN)).venues == frozenset({venue})


async def test_others_still_join_by_the_connection_and_so_does_who_left_by_themselves(
    app: App, people: People, owner: Caller
) -> None:
    odette = await hire(people, owner, ODETTE)
    assert odette.user is not None
    connection = await connect(app, owner, "corp.example")
    await members.leave_organization(app, owner.tenant, odette.user, by=by(odette))
    for email in (ODETTE, SWANN):
        assert isinstance(await arrive(app, connection, email), SessionTokens)
