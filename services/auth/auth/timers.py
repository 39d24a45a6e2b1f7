"""What is due in auth: forgetting registrations and mails about accounts that are over or of no more use."""

from types import MappingProxyType
from uuid import UUID

from auth.app import App
from auth.store import account_mails as mail_store
from auth.store import invitations as invitation_store
from auth.store import registrations as store
from auth.usecases.account_mails import FORGET_ACCOUNT_MAIL
from auth.usecases.invitations import FORGET_INVITATION
from auth.usecases.registration import FORGET_REGISTRATION
from servicekit import timers
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


TIMERS = MappingProxyType(
    {
        FORGET_INVITATION: forget_invitation,
        FORGET_REGISTRATION: forget_registration,
        FORGET_ACCOUNT_MAIL: forget_account_mail,
    }
)
