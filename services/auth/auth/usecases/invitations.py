"""Inviting people to an organization: writing, mailing, withdrawing. Accepting is in acceptance.py."""

from dataclasses import dataclass
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain import accounts
from auth.domain.audit import Action, Author
from auth.domain.invitations import (
    KEPT,
    AlreadyMember,
    Invitation,
    InvitationNotFound,
    new_link,
)
from auth.domain.plans import FREE
from auth.store import audit
from auth.store import invitations as store
from auth.store import members as member_store
from auth.store import roles as role_store
from auth.usecases.givers import enter
from servicekit import ids, timers
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
from servicekit.identity import Caller
from servicekit.paging import Page

FORGET_INVITATION = "forget_invitation"
"""The timer that deletes an invitation a month after its links stopped holding."""
_AFTER_ALL = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class InvitationMail:
    """What the mail with the link needs."""

    email: str
    organization_name: str
    inviter_name: str
    """Empty when they have left."""
    language: str
    token: str


async def create_invitation(
    app: App, caller: Caller, *, email: str, role: str, venues: frozenset[UUID], language: str, by: Author
) -> Invitation:
    """Invites an address, and asks for the mail.

    Raises:
        RoleNotFound: there is no such role.
        OwnersOnly, PermissionNotHeld: the role allows what the caller may not.
        AlreadyMember: a member has the address.
        InvitationExists: an invitation is open for it.
        PlanLimitReached: members and open invitations are as many as the plan allows.
    """
    organization_id = caller.tenant
    address = accounts.normalise_email(email)
    async with app.db.begin_platform(reason="invite to an organization") as tx:
        giver = await enter(app, tx, organization_id, caller)
        giver.give(await role_store.get_grant(tx, organization_id, role, venues))
        if await member_store.has_address(tx, organization_id, address):
            raise AlreadyMember
        invitation = Invitation.write(
            ids.new(),
            organization_id=organization_id,
            email=address,
            role=role,
            venues=venues,
            language=language,
            invited_by=_sender(caller),
            now=tx.now,
        )
        await store.insert_invitation(tx, invitation)
        await refuse_crowd(app, tx, organization_id)
        await _mail(tx, invitation, by, Action.INVITATION_CREATED)
    return invitation


async def list_invitations(app: App, organization_id: UUID, page: Page) -> tuple[list[Invitation], str]:
    """The open ones, the newest first, and the token of the next page.

    Raises:
        InvalidPageToken: the token holds no invitation's id.
    """
    try:
        before = UUID(page.after[0]) if page.after else _AFTER_ALL
    except ValueError:
        raise InvalidPageToken from None
    async with app.db.begin(organization_id) as tx:
        found = await store.list_open(tx, organization_id, before=before, most=page.size + 1)
    shown = found[: page.size]
    return shown, page.next_token([str(shown[-1].id)]) if len(found) > page.size else ""


async def resend_invitation(app: App, caller: Caller, invitation_id: UUID, *, by: Author) -> Invitation:
    """Asks for another mail, and lets all links hold seven days from now. The caller stands for it.

    Raises:
        InvitationNotFound: it is not open.
        InvitationMailsSpent: it was mailed five times.
        OwnersOnly, PermissionNotHeld, RoleNotFound: as for create_invitation.
    """
    # Like the one that wrote it, because of the timer, which belongs to no organization.
    async with app.db.begin_platform(reason="mail an invitation again") as tx:
        giver = await enter(app, tx, caller.tenant, caller)
        found = await _lock(tx, invitation_id)
        if found.organization_id != caller.tenant:
            raise InvitationNotFound
        giver.give(await role_store.get_grant(tx, caller.tenant, found.role, found.venues))
        invitation = found.send_again(tx.now, by=_sender(caller))
        await store.save_invitation(tx, invitation)
        await _mail(tx, invitation, by, Action.INVITATION_RESENT)
    return invitation


async def revoke_invitation(app: App, caller: Caller, invitation_id: UUID, *, by: Author) -> None:
    """Withdraws an invitation: its links stop working. One that is over stays as it is.

    Raises:
        InvitationNotFound: there is no such invitation.
    """
    async with app.db.begin(caller.tenant) as tx:
        await enter(app, tx, caller.tenant, caller)
        found = await _lock(tx, invitation_id)
        revoked = found.revoke(tx.now)
        if revoked == found:
            return
        await store.save_invitation(tx, revoked)
        target = ids.show("inv", invitation_id)
        await audit.record(tx, caller.tenant, by, Action.INVITATION_REVOKED, target=target)


async def issue_invitation(app: App, invitation_id: UUID) -> InvitationMail | None:
    """A fresh secret for a mail that is about to be sent; those issued before hold as well.

    None when the invitation is open no more.
    """
    async with app.db.begin_platform(reason="issue the secret of an invitation") as tx:
        invitation = await store.lock_invitation(tx, invitation_id)
        if invitation is None or not invitation.is_open(tx.now):
            return None
        token, hashed = new_link()
        await store.insert_link(tx, invitation, hashed)
        organization_name, inviter_name, _ = await store.describe(tx, invitation_id)
    return InvitationMail(invitation.email, organization_name, inviter_name, invitation.language, token)


async def refuse_crowd(app: App, tx: Transaction, organization_id: UUID) -> None:
    """Makes sure that a locked organization has no more members and open invitations than its plan allows.

    After the newest of them was kept, which goes with `tx` again.

    Raises:
        PlanLimitReached: it has.
    """
    organization = await member_store.get_organization(tx, organization_id)
    plan = app.plans.get(organization.plan if organization else FREE, app.plans[FREE])
    people = await member_store.count_members(tx, organization_id)
    plan.refuse_more("members", people + await store.count_open(tx, organization_id) - 1)


def _sender(caller: Caller) -> UUID | None:
    return caller.user if caller.key is None and caller.operator is None else None


async def _mail(tx: Transaction, invitation: Invitation, by: Author, action: Action) -> None:
    """Has the mail written, and the invitation forgotten one day; and records, as the last part of `tx`."""
    await timers.schedule(tx, FORGET_INVITATION, str(invitation.id), invitation.expires_at + KEPT)
    await events.invitation_requested(tx, invitation.organization_id, invitation.id)
    await audit.record(
        tx,
        invitation.organization_id,
        by,
        action,
        target=ids.show("inv", invitation.id),
        after={
            "role": invitation.role,
            "venues": [ids.show("ven", each) for each in sorted(invitation.venues)],
        },
    )


async def _lock(tx: Transaction, invitation_id: UUID) -> Invitation:
    found = await store.lock_invitation(tx, invitation_id)
    if found is None:
        raise InvitationNotFound
    return found
