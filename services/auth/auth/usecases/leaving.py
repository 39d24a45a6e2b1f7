"""Leaving for good: the person's row and all that hangs on it goes; the audit log keeps the id."""

from dataclasses import replace
from uuid import UUID

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, Author
from auth.domain.sessions import EndReason
from auth.store import account_mails as mail_store
from auth.store import api_keys as key_store
from auth.store import audit
from auth.store import invitations as invitation_store
from auth.store import people as store
from auth.store import registrations as registration_store
from auth.store import sessions as session_store
from auth.usecases import privacy_wishes
from auth.usecases.account_mails import write_to
from auth.usecases.holding import hold_session
from servicekit import ids
from servicekit.errors import Unauthenticated


async def delete_account(app: App, user_id: UUID, *, by: Author) -> None:
    """Deletes the user with their memberships, sessions, devices and links. Access tokens end soon.

    What they were invited to, and how they registered, goes with their address; what they sent is withdrawn.

    All other services are asked to forget the user, and give their receipts.

    One entry in the log of each organization, and one in the platform's; none says who it was but by the id.
    API keys that they made hold on: the organization's entry says how many.

    Raises:
        SoleOwner: an organization would be left without an owner.
        Unauthenticated: there is no such user (any more), or the session of the call is over.
    """
    async with app.db.begin_platform(reason="delete the caller's account") as tx:
        user = await store.lock_user(tx, user_id)
        if user is None:
            raise Unauthenticated
        owned_alone = await store.lock_owned_alone(tx, user_id)
        organizations = await store.lock_memberships(tx, user_id)
        sessions = await session_store.lock_sessions(tx, user_id)
        await hold_session(app, tx, by)
        user.may_leave(owned_alone)
        for session in sessions:
            await session_store.save_session(tx, session.end(tx.now, EndReason.ACCOUNT_DELETED))
        for organization in organizations:
            await invitation_store.revoke_invitations_of(tx, organization, user_id)
        invitations = await invitation_store.delete_invitations_to(tx, user_id, user.email)
        registrations = await registration_store.delete_registrations_of(tx, user_id, user.email)
        await mail_store.delete_mails_to(tx, user.email, MailKind.PASSWORD_RESET)
        await store.delete_user(tx, user_id)
        await write_to(tx, MailKind.ACCOUNT_DELETED, user)
        gone = {
            "users": 1,
            "memberships": len(organizations),
            "sessions": len(sessions),
            "invitations": invitations,
            "registrations": registrations,
        }
        await privacy_wishes.forget_account(app, tx, user_id, gone)
        nameless, target = replace(by, address=""), ids.show("usr", user_id)
        await audit.record(tx, PLATFORM_CHAIN, nameless, Action.ACCOUNT_DELETED, target=target)
        for organization in organizations:
            said = {"api_keys": await key_store.count_keys_of(tx, organization, user_id)}
            await audit.record(tx, organization, nameless, Action.ACCOUNT_DELETED, target=target, before=said)
