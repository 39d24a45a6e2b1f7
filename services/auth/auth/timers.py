"""What is due in auth: forgetting registrations, mails about accounts, and all else that is over."""

from types import MappingProxyType
from uuid import UUID

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.operator_access import AccessEnd
from auth.store import account_mails as mail_store
from auth.store import invitations as invitation_store
from auth.store import operator_accesses as access_store
from auth.store import registrations as store
from auth.usecases.account_mails import FORGET_ACCOUNT_MAIL
from auth.usecases.domains import LOOK_FOR_DOMAIN, look_for_domain
from auth.usecases.invitations import FORGET_INVITATION
from auth.usecases.operator_sessions import END_OPERATOR_ACCESS, end_access
from auth.usecases.privacy import FORGET_EXPORT, PRIVACY_OVERDUE, find_overdue, forget_export
from auth.usecases.purges import purge
from auth.usecases.registration import FORGET_REGISTRATION
from auth.usecases.web_domains import LOOK_FOR_WEB_DOMAIN, look_for_web_domain
from servicekit import timers
from servicekit.purging import PURGE
from servicekit.timers import Timer


async def forget_registration(app: App, timer: Timer) -> None:
    """Deletes what the person typed in. Does nothing when the registration was prolonged meanwhile."""
    async with app.db.begin_platform(reason="forget a registration") as tx:
        # The registration before the timer: the order in which everybody else locks them.
        await store.lock_registration(tx, UUID(timer.key))
        if await timers.done(tx, timer):
            await store.delete_registration(tx, UUID(timer.key))


async def forget_account_mail(app: App, timer: Timer) -> None:
    """Deletes a mail about an account with the hashes of its links, which hold no more."""
    async with app.db.begin_platform(reason="forget a mail about an account") as tx:
        await mail_store.lock_mail(tx, UUID(timer.key))
        if await timers.done(tx, timer):
            await mail_store.delete_mail(tx, UUID(timer.key))


async def forget_invitation(app: App, timer: Timer) -> None:
    """Deletes an invitation, whatever became of it, with the hashes of its links."""
    async with app.db.begin_platform(reason="forget an invitation") as tx:
        await invitation_store.lock_invitation(tx, UUID(timer.key))
        if await timers.done(tx, timer):
            await invitation_store.delete_invitation(tx, UUID(timer.key))


async def end_operator_access(app: App, timer: Timer) -> None:
    """Ends an operator's access whose minutes are over, unless somebody ended it before."""
    async with app.db.begin_platform(reason="end an operator's access whose time is over") as tx:
        access = await access_store.lock_access(tx, UUID(timer.key))
        if await timers.done(tx, timer) and access is not None:
            await end_access(tx, access, AccessEnd.EXPIRED, by=Author(ActorKind.SYSTEM))


TIMERS = MappingProxyType(
    {
        FORGET_INVITATION: forget_invitation,
        FORGET_REGISTRATION: forget_registration,
        FORGET_ACCOUNT_MAIL: forget_account_mail,
        END_OPERATOR_ACCESS: end_operator_access,
        LOOK_FOR_DOMAIN: look_for_domain,
        LOOK_FOR_WEB_DOMAIN: look_for_web_domain,
        PURGE: purge,
        PRIVACY_OVERDUE: find_overdue,
        FORGET_EXPORT: forget_export,
    }
)
