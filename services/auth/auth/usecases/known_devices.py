"""Notes from which device somebody has logged in, and tells them when it is a new one."""

from auth.app import App
from auth.domain import known_devices
from auth.domain.account_mails import MailKind
from auth.domain.sessions import Session
from auth.store import people as store
from auth.usecases.account_mails import write_to
from servicekit.database import Transaction


async def note_device(app: App, tx: Transaction, session: Session) -> None:
    """Part of opening a session. Mails the user when the device was not seen for 90 days.

    Not at the first log-in ever, which follows upon registering.
    """
    trait = known_devices.trait(session.user_id, session.device, session.address)
    prints = app.keyring.fingerprints(trait)
    seen = await store.list_devices(tx, session.user_id)
    await store.keep_device(tx, session.user_id, prints[0])
    since = await store.account_since(tx, session.user_id)
    if known_devices.is_new(prints, seen, account_since=since, now=tx.now):
        user = await store.get_user(tx, session.user_id)
        if user is not None:
            await write_to(tx, MailKind.NEW_DEVICE, user, device=session.device, address=session.address)
