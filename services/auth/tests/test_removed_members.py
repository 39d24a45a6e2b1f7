"""Whom an organization has removed does not come back by logging in at their provider."""

from uuid import UUID

import pytest

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import Action
from auth.domain.connections import Connection
from auth.domain.invitations import InvitationTokenInvalid
from auth.domain.members import MemberRemoved
from auth.domain.sessions import Session, SessionTokens
from auth.store import members as store
from auth.usecases import acceptance, addresses, invitations, members
from servicekit import ids
from servicekit.identity import Caller
from servicekit.paging import Page

from .conftest import People
from .mailbox import the_only
from .providers_of_people import connect, roles_of, with_dns
from .staff import NOBODY, by, hire, invite, join, link, log_in
from .test_reach_of_connections import arrive

OWNER, SWANN, ODETTE = "paulette@corp.example", "swann@corp.example", "odette@corp.example"
PRIVATE = "swann@private.example"


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


async def test_what_they_were_invited_to_before_does_not_bring_back_who_was_removed(
    app: App, people: People, owner: Caller
) -> None:
    await people.own(SWANN)
    connection = await connect(app, owner, "corp.example")
    old = await link(app, await invite(app, owner, SWANN, "admin"))
    swann = await came(app, people, connection, SWANN)
    assert await open_to(app, owner) == []  # joining uses it up
    assert swann.user_id is not None
    await members.remove_member(app, owner, swann.user_id, by=by(owner))
    with pytest.raises(InvitationTokenInvalid):
        await join(app, old)
    assert SWANN not in await roles_of(app, owner.tenant)


@pytest.mark.parametrize("go", ["removed", "left"])
async def test_an_invitation_that_is_open_to_a_member_goes_with_the_membership(
    app: App, people: People, owner: Caller, go: str
) -> None:
    """To an address that the member took after it had been invited."""
    swann = await hire(people, owner, SWANN)
    old = await link(app, await invite(app, owner, ODETTE, "admin"))
    assert swann.user is not None
    await take_address(app, swann.user, ODETTE)
    if go == "removed":
        await members.remove_member(app, owner, swann.user, by=by(owner))
    else:
        await members.leave_organization(app, owner.tenant, swann.user, by=by(swann))
    action = {"removed": Action.MEMBER_REMOVED, "left": Action.MEMBER_LEFT}[go]
    (entry,) = [each for each in await people.log(owner.tenant) if each.action is action]
    assert entry.before is not None
    assert entry.before["invitations_withdrawn"] == 1
    with pytest.raises(InvitationTokenInvalid):
        await join(app, old)


@pytest.mark.parametrize("moved", ["before they are removed", "after they are removed"])
async def test_another_address_of_the_account_does_not_bring_back_who_was_removed(
    app: App, people: People, owner: Caller, moved: str
) -> None:
    swann = await hire(people, owner, SWANN)
    odette = await hire(people, owner, ODETTE)
    connection = await connect(app, owner, "corp.example")
    assert swann.user is not None
    assert odette.user is not None
    if moved.startswith("before"):
        await take_address(app, swann.user, PRIVATE)
    await members.remove_member(app, owner, swann.user, by=by(owner))
    if moved.startswith("after"):
        await take_address(app, swann.user, PRIVATE)
    with pytest.raises(MemberRemoved):
        await arrive(app, connection, SWANN)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert await store.find_person(tx, SWANN) is None  # nor is an account made
    await people.own(SWANN)  # nor does one that is made otherwise
    with pytest.raises(MemberRemoved):
        await arrive(app, connection, SWANN)
    await take_address(app, odette.user, "odile@corp.example")
    assert isinstance(await arrive(app, connection, ODETTE), SessionTokens)  # who was not removed
    await accept(app, people, SWANN, await link(app, await invite(app, owner, SWANN)))
    assert isinstance(await arrive(app, connection, SWANN), SessionTokens)


async def came(app: App, people: People, connection: Connection, email: str) -> Session:
    tokens = await arrive(app, connection, email)
    assert isinstance(tokens, SessionTokens)
    return await people.session(tokens)


async def accept(app: App, people: People, email: str, token: str) -> None:
    caller = await log_in(people, email)
    assert caller.user is not None
    await acceptance.accept_invitation(app, caller.user, token, by=by(caller))


async def open_to(app: App, owner: Caller) -> list[str]:
    found, _ = await invitations.list_invitations(app, owner.tenant, Page(50, None, ""))
    return [each.email for each in found]


async def take_address(app: App, user: UUID, email: str) -> None:
    await addresses.ask_to_change_email(app, user, email, by=NOBODY)
    token = (await the_only(app, MailKind.EMAIL_CHANGE)).token
    await addresses.confirm_email_change(app, token, by=NOBODY)
