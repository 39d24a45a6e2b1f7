"""Accepting an invitation, in a session or without one. Only the link proves the invited address."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth.app import App
from auth.domain import accounts
from auth.domain.accounts import InvalidCredentials, Membership
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.invitations import (
    DisplayNameRequired,
    Invitation,
    InvitationForAnother,
    InvitationTokenInvalid,
)
from auth.domain.roles import OwnersOnly, PermissionNotHeld
from auth.store import audit
from auth.store import invitations as store
from auth.store import members as member_store
from auth.store import registrations as registration_store
from auth.store import roles as role_store
from auth.store.grants import find_grant
from auth.usecases.givers import giver_of
from auth.usecases.guessing import UNCOUNTED, compare, count_try
from auth.usecases.holding import hold_session
from auth.usecases.invitations import refuse_crowd
from auth.usecases.new_passwords import hash_new_password
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import Busy, Unauthenticated


@dataclass(frozen=True, slots=True)
class Shown:
    """What a link invites to."""

    organization_name: str
    email: str
    role_name: str
    has_account: bool
    expires_at: datetime


async def read_invitation(app: App, token: str) -> Shown:
    """What whoever has the link is invited to.

    Raises:
        InvitationTokenInvalid: it does not hold (any more), or its sender could not send it by now.
    """
    async with app.db.begin_platform(reason="read an invitation by its link") as tx:
        invitation = await store.find_by_link(tx, accounts.token_hash(token))
        if invitation is None or not invitation.is_open(tx.now):
            raise InvitationTokenInvalid
        await _refuse_lapsed(tx, invitation)
        organization_name, _, role_name = await store.describe(tx, invitation.id)
        person = await member_store.find_person(tx, invitation.email)
    return Shown(organization_name, invitation.email, role_name, person is not None, invitation.expires_at)


async def accept_invitation(app: App, user_id: UUID, token: str, *, by: Author) -> UUID:
    """Makes the user a member, if the invited address is theirs; answers the organization.

    Accepted again by the same person it answers the same, and changes nothing.

    Raises:
        InvitationTokenInvalid: the link does not hold (any more), or somebody else accepted, or its sender
            could not send it by now.
        Unauthenticated: the session of the call is over.
        InvitationForAnother: the address of the account is another one.
        PlanLimitReached: the organization has as many members as its plan allows.
    """
    async with app.db.begin_platform(reason="accept an invitation") as tx:
        invitation = await _lock(tx, accounts.token_hash(token))
        await hold_session(app, tx, by)
        email = await member_store.find_address(tx, user_id)
        if email is None:
            raise Unauthenticated
        if email != invitation.email:
            raise InvitationForAnother
        await _join(app, tx, invitation, user_id, by=by)
    return invitation.organization_id


async def join_organization(
    app: App, token: str, *, password: str, display_name: str, language: str, by: Author
) -> UUID:
    """Makes whoever has the link, and the password of the account that the address has, a member.

    Where the address has no account, it gets one with this password and name. Accepted again while the
    invitation is remembered it answers the same organization and changes nothing, whatever the password.

    Two transactions, because a password is not hashed inside one.

    Raises:
        InvitationTokenInvalid: the link does not hold (any more), or its sender could not send it by now.
        InvalidCredentials: the address has an account, with another password.
        TooManyAttempts: as for log_in.
        DisplayNameRequired, PasswordTooCommon, InvalidRequest: a new person needs a name and a good password.
        PlanLimitReached: the organization has as many members as its plan allows.
        Busy: meanwhile the address got an account, or lost it.
        Unavailable: too many passwords wait to be hashed.
    """
    hashed = accounts.token_hash(token)
    async with app.db.begin_platform(reason="find whom a link invites") as tx:
        invitation = await store.find_by_link(tx, hashed)
        if invitation is not None and invitation.accepted_at is not None:
            return invitation.organization_id
        if invitation is None or not invitation.is_open(tx.now):
            raise InvitationTokenInvalid
        person = await member_store.find_person(tx, invitation.email)
        # Who has the link has the mailbox: strangers who used up the account's limit do not lock them out.
        counted = (
            await count_try(app, tx, invitation.email, by=by, known=f"invitation {invitation.id}")
            if person is not None
            else UNCOUNTED
        )
    counted.refuse_more()
    if person is not None:
        if not (await compare(app, counted, person[1], password)).fits:
            raise InvalidCredentials
        user_id, password_hash, name = person[0], None, ""
    else:
        if not display_name.strip():
            raise DisplayNameRequired
        name = accounts.person_name(display_name)
        user_id, password_hash = ids.new(), await hash_new_password(app, password, email=invitation.email)
    async with app.db.begin_platform(reason="accept an invitation") as tx:
        await registration_store.lock_address(tx, invitation.email)
        invitation = await _lock(tx, hashed)
        if password_hash is not None and invitation.accepted_at is not None:
            return invitation.organization_id
        if password_hash is not None:
            await member_store.insert_person(
                tx,
                user_id,
                email=invitation.email,
                display_name=name,
                language=language or invitation.language,
                password_hash=password_hash,
            )
        elif await member_store.find_person(tx, invitation.email) != person:
            raise Busy
        author = Author(ActorKind.USER, user_id, address=by.address, request_id=by.request_id)
        await _join(app, tx, invitation, user_id, by=author)
    return invitation.organization_id


async def _lock(tx: Transaction, token_hash: bytes) -> Invitation:
    """The invitation of a link, under the lock of its organization.

    Raises:
        InvitationTokenInvalid: there is none (any more).
    """
    found = await store.find_by_link(tx, token_hash)
    if found is None:
        raise InvitationTokenInvalid
    await member_store.lock_organization(tx, found.organization_id)
    invitation = await store.lock_invitation(tx, found.id)
    if invitation is None:
        raise InvitationTokenInvalid
    return invitation


async def _refuse_lapsed(tx: Transaction, invitation: Invitation) -> None:
    """Makes sure that whoever sent the invitation could send it by now. What a key has sent holds without it.

    Raises:
        InvitationTokenInvalid: they have left, or may less than it offers.
    """
    if invitation.invited_by is None:
        return
    inviter = await find_grant(tx, invitation.organization_id, invitation.invited_by)
    if inviter is None:
        raise InvitationTokenInvalid
    offered = await role_store.get_grant(tx, invitation.organization_id, invitation.role, invitation.venues)
    try:
        giver_of(inviter).give(offered)
    except (OwnersOnly, PermissionNotHeld) as error:
        raise InvitationTokenInvalid from error


async def _join(app: App, tx: Transaction, invitation: Invitation, user_id: UUID, *, by: Author) -> None:
    """Keeps the acceptance, and the membership unless there is one already; the last part of `tx`."""
    accepted = invitation.accept(user_id, tx.now)
    if accepted == invitation:
        return
    await _refuse_lapsed(tx, invitation)
    organization_id = invitation.organization_id
    await store.save_invitation(tx, accepted)
    if await find_grant(tx, organization_id, user_id) is None:
        membership = Membership(organization_id, user_id, invitation.role, invitation.venues)
        await member_store.insert_member(tx, membership)
        await refuse_crowd(app, tx, organization_id)
    await audit.record(
        tx,
        organization_id,
        by,
        Action.MEMBER_JOINED,
        target=ids.show("usr", user_id),
        after={"invitation": ids.show("inv", invitation.id), "role": invitation.role},
    )
