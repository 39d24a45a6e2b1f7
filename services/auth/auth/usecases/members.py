"""The people of an organization: who they are, what they may do, and how they go."""

from uuid import UUID

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.accounts import Membership
from auth.domain.audit import Action, Author
from auth.domain.members import Member, MemberNotFound, keep_an_owner
from auth.domain.roles import Grant, OwnersOnly
from auth.domain.sessions import EndReason
from auth.store import api_keys as key_store
from auth.store import audit
from auth.store import invitations as invitation_store
from auth.store import members as store
from auth.store import people as people_store
from auth.store import roles as role_store
from auth.store import scim_users as scim_store
from auth.store import sessions as session_store
from auth.usecases.account_mails import write_to
from auth.usecases.givers import enter
from auth.usecases.holding import hold_session
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller
from servicekit.paging import Page
from servicekit.permissions import OWNER

_DEMOTED = "admin"
"""What an owner becomes who hands the organization over."""


async def list_members(app: App, organization_id: UUID, page: Page) -> tuple[list[Member], str]:
    """The members, the oldest membership first, and the token of the next page.

    Raises:
        InvalidPageToken: the token is none of this list.
    """
    async with app.db.begin_platform(reason="list the members of an organization") as tx:
        return await store.page_of_members(tx, organization_id, page)


async def update_member(
    app: App, caller: Caller, user_id: UUID, *, role: str, venues: frozenset[UUID], by: Author
) -> tuple[Member, int]:
    """Gives a member a role, which is not that of an owner, in these venues; empty means all.

    Their sessions go on: the next access token of each says what they may do now. API keys that they made
    hold on as they are: how many is answered, and recorded.

    Raises:
        MemberNotFound: there is no such member.
        RoleNotFound: there is no such role.
        OwnersOnly: the member is an owner, and the caller is none.
        PermissionNotHeld: the member has, or would get, what the caller does not have.
        LastOwner: the organization would be left without one.
    """
    organization_id = caller.tenant
    async with app.db.begin_platform(reason="change a member") as tx:
        giver = await enter(app, tx, organization_id, caller)
        member = await _lock(tx, organization_id, user_id)
        grant = await role_store.get_grant(tx, organization_id, role, venues)
        giver.give(member.grant)
        giver.give(grant)
        if member.owns:
            keep_an_owner(await store.list_owners(tx, organization_id), user_id)
        changed = await _change(tx, organization_id, member, grant)
        keys = await key_store.count_keys_of(tx, organization_id, user_id)
        if grant != member.grant:
            await audit.record(
                tx,
                organization_id,
                by,
                Action.MEMBER_CHANGED,
                target=ids.show("usr", user_id),
                before=_said(member.grant),
                after=_said(grant) | {"api_keys": keys},
            )
    return changed, keys


async def transfer_ownership(
    app: App, caller: Caller, user_id: UUID, *, remain_owner: bool, by: Author
) -> Member:
    """Makes a member an owner, of all venues; the caller becomes an admin, unless they remain one.

    Raises:
        OwnersOnly: the caller is no owner.
        MemberNotFound: there is no such member.
    """
    organization_id = caller.tenant
    async with app.db.begin_platform(reason="hand an organization over") as tx:
        giver = await enter(app, tx, organization_id, caller)
        if not giver.owner or caller.user is None:
            raise OwnersOnly
        member = await _lock(tx, organization_id, user_id)
        owner = await _change(tx, organization_id, member, Grant.of(OWNER))
        demoted = None
        if not remain_owner and user_id != caller.user:
            former = await _lock(tx, organization_id, caller.user)
            demoted = await _change(tx, organization_id, former, Grant.of(_DEMOTED))
        if owner.grant != member.grant:
            await audit.record(
                tx,
                organization_id,
                by,
                Action.OWNERSHIP_GIVEN,
                target=ids.show("usr", user_id),
                before=_said(member.grant),
                after=_said(owner.grant),
            )
        if demoted is not None:
            await audit.record(
                tx,
                organization_id,
                by,
                Action.OWNERSHIP_LAID_DOWN,
                target=ids.show("usr", demoted.user_id),
                before=_said(Grant.of(OWNER)),
                after=_said(demoted.grant)
                | {"api_keys": await key_store.count_keys_of(tx, organization_id, demoted.user_id)},
            )
    return owner


async def remove_member(app: App, caller: Caller, user_id: UUID, *, by: Author) -> int:
    """Ends a membership, its sessions at once, and the invitations that they sent or did not accept.

    Logging in by a connection makes them no member again, by whatever address they have had: an invitation
    that is written from now on does, or their provider by SCIM.
    API keys that they made hold on, because programs may need them. Answers how many.

    Raises:
        MemberNotFound: there is no such member (any more).
        OwnersOnly: the member is an owner, and the caller is none.
        PermissionNotHeld: the member has what the caller does not have.
        LastOwner: the organization would be left without one.
    """
    organization_id = caller.tenant
    async with app.db.begin_platform(reason="remove a member") as tx:
        giver = await enter(app, tx, organization_id, caller)
        member = await _lock(tx, organization_id, user_id)
        giver.give(member.grant)
        await end_membership(tx, organization_id, member)
        await store.insert_removal(tx, organization_id, user_id)
        withdrawn = await withdraw_invitations(tx, organization_id, member)
        keys = await key_store.count_keys_of(tx, organization_id, user_id)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.MEMBER_REMOVED,
            target=ids.show("usr", user_id),
            before=_said(member.grant) | {"invitations_withdrawn": withdrawn, "api_keys": keys},
            after={"joins_by_connection": False},
        )
    return keys


async def end_member_sessions(app: App, caller: Caller, user_id: UUID, *, by: Author) -> int:
    """Ends all sessions of a member in the organization at once, and mails them. Answers how many there were.

    Those in other organizations go on there, and switch in only with credentials that are given from now on.

    Raises:
        MemberNotFound: there is no such member.
        OwnersOnly: the member is an owner, and the caller is none.
        PermissionNotHeld: the member has what the caller does not have.
    """
    organization_id = caller.tenant
    async with app.db.begin_platform(reason="end the sessions of a member") as tx:
        giver = await enter(app, tx, organization_id, caller)
        member = await _lock(tx, organization_id, user_id)
        giver.give(member.grant)
        sessions = await session_store.lock_sessions_in(tx, organization_id, user_id)
        for session in sessions:
            await session_store.save_session(tx, session.end(tx.now, EndReason.ENDED_BY_ORGANIZATION))
        await store.end_sessions_until(tx, organization_id, user_id, tx.now)
        await _tell_member(tx, organization_id, user_id)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.MEMBER_SESSIONS_ENDED,
            target=ids.show("usr", user_id),
            after={"sessions": [ids.show("ses", each.id) for each in sessions]},
        )
    return len(sessions)


async def leave_organization(app: App, organization_id: UUID, user_id: UUID, *, by: Author) -> None:
    """Ends the user's own membership, its sessions, and the invitations that they sent or did not accept.

    Raises:
        Unauthenticated: they are no member (any more), or the session of the call is over.
        LastOwner: the organization would be left without one.
    """
    async with app.db.begin_platform(reason="leave an organization") as tx:
        await store.lock_organization(tx, organization_id)
        member = await store.lock_member(tx, organization_id, user_id)
        if member is None:
            raise Unauthenticated
        await session_store.lock_sessions(tx, user_id)
        await hold_session(app, tx, by)
        await end_membership(tx, organization_id, member)
        withdrawn = await withdraw_invitations(tx, organization_id, member)
        keys = await key_store.count_keys_of(tx, organization_id, user_id)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.MEMBER_LEFT,
            target=ids.show("usr", user_id),
            before=_said(member.grant) | {"invitations_withdrawn": withdrawn, "api_keys": keys},
        )


async def end_membership(tx: Transaction, organization_id: UUID, member: Member) -> None:
    """Ends a locked membership of a locked organization, and its sessions. The caller records it.

    A provider that brings them back by SCIM brings them back to the same venues.

    Raises:
        LastOwner: the organization would be left without one.
    """
    if member.owns:
        keep_an_owner(await store.list_owners(tx, organization_id), member.user_id)
    for session in await session_store.lock_sessions_in(tx, organization_id, member.user_id):
        await session_store.save_session(tx, session.end(tx.now, EndReason.MEMBERSHIP_ENDED))
    await scim_store.keep_venues(tx, organization_id, member.user_id, member.grant.venues)
    await store.delete_member(tx, organization_id, member.user_id)


async def withdraw_invitations(tx: Transaction, organization_id: UUID, member: Member) -> int:
    """Withdraws what whoever goes has sent, and what their address is offered. Answers how many."""
    sent = await invitation_store.revoke_invitations_of(tx, organization_id, member.user_id)
    return sent + await invitation_store.revoke_invitations_to(tx, organization_id, member.email)


async def _lock(tx: Transaction, organization_id: UUID, user_id: UUID) -> Member:
    member = await store.lock_member(tx, organization_id, user_id)
    if member is None:
        raise MemberNotFound
    return member


async def _tell_member(tx: Transaction, organization_id: UUID, user_id: UUID) -> None:
    user = await people_store.get_user(tx, user_id)
    organization = await store.get_organization(tx, organization_id)
    assert user is not None  # noqa: S101  # their membership is locked
    assert organization is not None  # noqa: S101  # so is it
    await write_to(tx, MailKind.SESSIONS_ENDED, user, organization_name=organization.name)


async def _change(tx: Transaction, organization_id: UUID, member: Member, grant: Grant) -> Member:
    await store.save_member(tx, Membership(organization_id, member.user_id, grant.role, grant.venues))
    return await _lock(tx, organization_id, member.user_id)


def _said(grant: Grant) -> dict[str, str | int | bool | list[str] | None]:
    return {"role": grant.role, "venues": [ids.show("ven", each) for each in sorted(grant.venues)]}
