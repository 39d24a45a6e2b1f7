"""Invitations: whom the link lets in, as what, how long, and that accepting twice is accepting once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.accounts import InvalidCredentials, TooManyAttempts
from auth.domain.audit import Action
from auth.domain.invitations import (
    AlreadyMember,
    DisplayNameRequired,
    InvitationForAnother,
    InvitationMailsSpent,
    InvitationNotFound,
    InvitationTokenInvalid,
)
from auth.domain.passwords import PasswordTooCommon
from auth.domain.plans import PLANS, Plan
from auth.domain.roles import PermissionNotHeld
from auth.tables import INVITATION_LINKS, INVITATIONS, MEMBERSHIPS, USERS
from auth.timers import TIMERS
from auth.usecases import acceptance, invitations, members, sessions
from auth.usecases.invitations import FORGET_INVITATION
from servicekit import ids, paging, permissions
from servicekit.errors import PlanLimitReached
from servicekit.identity import Caller
from testkit import timers

from .conftest import PASSWORD, People
from .staff import by, hire, invite, join, link, log_in
from .test_own_sessions import WRONG, claims_of

OWNER = "paulette@example.org"
GUEST = "odette@example.org"
ANOTHER = "another good one altogether"
COMMON = "password12345"
VENUES = frozenset({ids.new(), ids.new()})


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def accept(app: App, caller: Caller, token: str) -> None:
    assert caller.user is not None
    await acceptance.accept_invitation(app, caller.user, token, by=by(caller))


async def rows(app: App, table: sa.Table) -> int:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        counted: int = (await tx.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
    return counted


async def test_a_new_person_joins_by_the_link_with_a_name_and_a_password(
    app: App, people: People, owner: Caller
) -> None:
    invitation = await invite(app, owner, "Odette@Example.org", venues=VENUES)
    token = await link(app, invitation)
    shown = await acceptance.read_invitation(app, token)
    assert (shown.organization_name, shown.email, shown.role_name) == ("Chez Paulette", GUEST, "host")
    assert not shown.has_account
    assert await join(app, token) == owner.tenant
    claims = claims_of(app, await people.log_in(GUEST))
    assert (claims["org"], claims["role"]) == (str(owner.tenant), "host")
    assert claims["ven"] == sorted(map(str, VENUES))
    assert [each.action for each in (await people.log(owner.tenant))[-3:]] == [
        Action.INVITATION_CREATED,
        Action.MEMBER_JOINED,
        Action.SESSION_OPENED,
    ]
    logged = str([(each.before, each.after) for each in await people.log(owner.tenant)])
    assert GUEST not in logged
    assert token not in logged


async def test_a_link_is_kept_as_a_hash(app: App, owner: Caller) -> None:
    token = await link(app, await invite(app, owner, GUEST))
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        kept = (await tx.execute(sa.select(INVITATION_LINKS))).mappings().one()
    assert token.encode() not in bytes(kept["token_hash"])
    assert len(token) >= 43


async def test_accepting_again_changes_nothing(app: App, people: People, owner: Caller) -> None:
    token = await link(app, await invite(app, owner, GUEST))
    outcomes = await asyncio.gather(join(app, token), join(app, token), join(app, token))
    assert set(outcomes) == {owner.tenant}
    assert await join(app, token, password=ANOTHER) == owner.tenant
    assert (await people.log_in(GUEST)).access_token
    host = await log_in(people, GUEST)
    await accept(app, host, token)
    assert (await rows(app, USERS), await rows(app, MEMBERSHIPS)) == (2, 2)
    with pytest.raises(InvitationTokenInvalid):
        await acceptance.read_invitation(app, token)


async def test_whoever_was_removed_does_not_come_back_by_the_old_link(
    app: App, people: People, owner: Caller
) -> None:
    token = await link(app, await invite(app, owner, GUEST))
    await join(app, token)
    host = await log_in(people, GUEST)
    assert host.user is not None
    await members.remove_member(app, owner, host.user, by=by(owner))
    await accept(app, host, token)
    await join(app, token)
    assert await rows(app, MEMBERSHIPS) == 1


async def test_a_person_with_an_account_accepts_in_their_session_by_their_own_address_only(
    app: App, people: People, owner: Caller
) -> None:
    await people.own(GUEST)
    await people.own("thief@example.org")
    token = await link(app, await invite(app, owner, GUEST, "admin"))
    assert (await acceptance.read_invitation(app, token)).has_account
    with pytest.raises(InvitationForAnother):
        await accept(app, await log_in(people, "thief@example.org"), token)
    person = await log_in(people, GUEST)
    await accept(app, person, token)
    assert person.user is not None
    profile = await sessions.get_profile(app, owner.tenant, person.user)
    assert profile.grant.role == "admin"


async def test_an_account_without_a_session_gives_its_own_password(
    app: App, people: People, owner: Caller
) -> None:
    await people.own(GUEST)
    token = await link(app, await invite(app, owner, GUEST))
    with pytest.raises(InvalidCredentials):
        await join(app, token, password=WRONG)
    assert await join(app, token, name="") == owner.tenant
    assert (await people.log_in(GUEST)).access_token
    assert await rows(app, USERS) == 2


async def test_guessing_by_a_link_is_counted_by_the_invitation(
    app: App, people: People, owner: Caller
) -> None:
    await people.own(GUEST)
    token = await link(app, await invite(app, owner, GUEST))
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await join(app, token, password=WRONG)
    with pytest.raises(TooManyAttempts):
        await join(app, token)
    assert (await people.log_in(GUEST)).access_token


async def test_a_new_person_needs_a_name_and_a_good_password(app: App, owner: Caller) -> None:
    token = await link(app, await invite(app, owner, GUEST))
    with pytest.raises(DisplayNameRequired):
        await join(app, token, name="  ")
    with pytest.raises(PasswordTooCommon):
        await join(app, token, password=COMMON)
    assert await rows(app, USERS) == 1


async def test_one_who_left_every_organization_comes_in_again_by_invitation(
    app: App, people: People, owner: Caller
) -> None:
    host = await hire(people, owner, GUEST)
    assert host.user is not None
    await members.remove_member(app, owner, host.user, by=by(owner))
    await join(app, await link(app, await invite(app, owner, GUEST, "viewer")))
    assert (await log_in(people, GUEST)).role == "viewer"


async def test_one_invitation_may_be_open_for_an_address_and_none_for_a_member(
    app: App, people: People, owner: Caller
) -> None:
    await people.own("marcel@example.org")
    outcomes = await asyncio.gather(*(invite(app, owner, GUEST) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == [
        "Invitation",
        "InvitationExists",
        "InvitationExists",
    ]
    assert await invite(app, await log_in(people, "marcel@example.org"), GUEST)
    with pytest.raises(AlreadyMember):
        await invite(app, owner, OWNER)
    await people.age(INVITATIONS, timedelta(days=7))
    assert await invite(app, owner, GUEST)


async def test_a_link_holds_seven_days_and_another_mail_prolongs_them(
    app: App, people: People, owner: Caller
) -> None:
    invitation = await invite(app, owner, GUEST)
    first = await link(app, invitation)
    await people.age(INVITATIONS, timedelta(days=6))
    await invitations.resend_invitation(app, owner, invitation.id, by=by(owner))
    second = await link(app, invitation)
    await people.age(INVITATIONS, timedelta(days=6))
    for token in (first, second):
        assert (await acceptance.read_invitation(app, token)).email == GUEST
    await people.age(INVITATIONS, timedelta(days=1))
    for token in (first, second, "nonsense"):
        with pytest.raises(InvitationTokenInvalid):
            await acceptance.read_invitation(app, token)
        with pytest.raises(InvitationTokenInvalid):
            await join(app, token)
    assert await invitations.issue_invitation(app, invitation.id) is None
    with pytest.raises(InvitationNotFound):
        await invitations.resend_invitation(app, owner, invitation.id, by=by(owner))


async def test_an_invitation_is_mailed_five_times_at_most(app: App, owner: Caller) -> None:
    invitation = await invite(app, owner, GUEST)
    for _ in range(4):
        await invitations.resend_invitation(app, owner, invitation.id, by=by(owner))
    with pytest.raises(InvitationMailsSpent):
        await invitations.resend_invitation(app, owner, invitation.id, by=by(owner))


async def test_a_withdrawn_invitation_lets_nobody_in(app: App, people: People, owner: Caller) -> None:
    invitation = await invite(app, owner, GUEST)
    token = await link(app, invitation)
    for _ in range(2):
        await invitations.revoke_invitation(app, owner, invitation.id, by=by(owner))
    with pytest.raises(InvitationTokenInvalid):
        await join(app, token)
    revoked = [each for each in await people.log(owner.tenant) if each.action is Action.INVITATION_REVOKED]
    assert len(revoked) == 1
    assert await invitations.issue_invitation(app, invitation.id) is None


async def test_what_somebody_sent_is_withdrawn_when_they_are_removed(
    app: App, people: People, owner: Caller
) -> None:
    admin = await hire(people, owner, "marcel@example.org", "admin")
    token = await link(app, await invite(app, admin, GUEST))
    mine = await link(app, await invite(app, owner, "luc@example.org"))
    assert admin.user is not None
    await members.remove_member(app, owner, admin.user, by=by(owner))
    with pytest.raises(InvitationTokenInvalid):
        await join(app, token)
    assert await join(app, mine) == owner.tenant


async def test_an_invitation_holds_while_its_sender_could_send_it(
    app: App, people: People, owner: Caller
) -> None:
    admin = await hire(people, owner, "marcel@example.org", "admin")
    offer = await invite(app, admin, GUEST, "admin")
    token = await link(app, offer)
    lesser = await link(app, await invite(app, admin, "luc@example.org", "viewer", venues=VENUES))
    assert admin.user is not None
    await members.update_member(app, owner, admin.user, role="viewer", venues=VENUES, by=by(owner))
    with pytest.raises(InvitationTokenInvalid):
        await acceptance.read_invitation(app, token)
    with pytest.raises(InvitationTokenInvalid):
        await join(app, token)
    assert await rows(app, USERS) == 2
    assert await join(app, lesser) == owner.tenant
    # Whoever sends it again stands for it.
    again = await invitations.resend_invitation(app, owner, offer.id, by=by(owner))
    assert again.invited_by == owner.user
    assert await join(app, token) == owner.tenant


async def test_whoever_leaves_withdraws_what_they_sent(app: App, people: People, owner: Caller) -> None:
    admin = await hire(people, owner, "marcel@example.org", "admin")
    token = await link(app, await invite(app, admin, GUEST, "admin"))
    assert admin.user is not None
    await members.leave_organization(app, owner.tenant, admin.user, by=by(admin))
    found, _ = await invitations.list_invitations(app, owner.tenant, paging.page(0, "", keys=1))
    assert found == []
    with pytest.raises(InvitationTokenInvalid):
        await join(app, token)


async def test_nobody_invites_to_more_than_they_may(app: App, people: People, owner: Caller) -> None:
    key = replace(owner, key=ids.new(), permissions=permissions.of_role("host") | {"members.write"})
    with pytest.raises(PermissionNotHeld):
        await invite(app, key, GUEST, "manager")
    invitation = await invite(app, owner, GUEST, "manager")
    with pytest.raises(PermissionNotHeld):
        await invitations.resend_invitation(app, key, invitation.id, by=by(key))
    assert (await invite(app, key, "luc@example.org", "host")).invited_by is None


async def test_invitations_of_others_are_not_found(app: App, people: People, owner: Caller) -> None:
    await people.own("marcel@example.org")
    stranger = await log_in(people, "marcel@example.org")
    invitation = await invite(app, owner, GUEST)
    for step in (invitations.resend_invitation, invitations.revoke_invitation):
        with pytest.raises(InvitationNotFound):
            await step(app, stranger, invitation.id, by=by(stranger))
    assert await invitations.list_invitations(app, stranger.tenant, paging.page(0, "", keys=1)) == ([], "")


async def test_open_invitations_come_in_pages_the_newest_first(app: App, owner: Caller) -> None:
    written = [await invite(app, owner, f"{name}@example.org") for name in ("anna", "ben", "cleo", "dora")]
    await invitations.revoke_invitation(app, owner, written[1].id, by=by(owner))
    first, token = await invitations.list_invitations(app, owner.tenant, paging.page(2, "", keys=1))
    rest, last = await invitations.list_invitations(app, owner.tenant, paging.page(2, token, keys=1))
    assert [each.email[:4] for each in (*first, *rest)] == ["dora", "cleo", "anna"]
    assert (len(first), last) == (2, "")


async def test_members_and_open_invitations_stay_within_the_plan(
    app: App, people: People, owner: Caller
) -> None:
    small = replace(app, plans={**PLANS, "free": Plan(members=3, venues=1, api_keys=0)})
    tokens = [await link(app, await invite(small, owner, f"{name}@example.org")) for name in ("anna", "ben")]
    with pytest.raises(PlanLimitReached) as refusal:
        await invite(small, owner, GUEST)
    assert refusal.value.metadata == {"limit": "members", "most": "3"}
    for token in tokens:
        await join(small, token, password=PASSWORD)
    with pytest.raises(PlanLimitReached):
        await invite(small, owner, GUEST)
    late = await link(app, await invite(app, owner, GUEST))
    with pytest.raises(PlanLimitReached):
        await join(small, late)
    assert await rows(app, USERS) == 3


async def test_an_invitation_is_forgotten_a_month_after_its_end(
    app: App, people: People, owner: Caller
) -> None:
    invitation = await invite(app, owner, GUEST)
    await link(app, invitation)
    (timer,) = await timers.scheduled(app.db, FORGET_INVITATION)
    assert timer.due_at == invitation.expires_at + timedelta(days=30)
    await TIMERS[FORGET_INVITATION](app, timer)
    assert (await rows(app, INVITATIONS), await rows(app, INVITATION_LINKS)) == (0, 0)
    assert await timers.scheduled(app.db, FORGET_INVITATION) == []
