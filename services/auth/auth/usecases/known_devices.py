"""Notes from which device somebody has logged in, and tells them when it is a new one."""

from uuid import UUID

from auth.app import App
from auth.domain import known_devices
from auth.domain.account_mails import MailKind
from auth.domain.audit import Author
from auth.domain.challenges import secret_hash
from auth.domain.devices import device_name
from auth.domain.sessions import Session
from auth.store import challenges as challenge_store
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


async def known_as(
    app: App, tx: Transaction, user_id: UUID, *, by: Author, user_agent: str, device_token: str
) -> str:
    """What a device is known by, if the person has logged in with it from this network, or has it remembered.

    A hash; empty for a device that is not known.

    `user_id` may be nobody's: the work is the same.
    """
    trait = known_devices.trait(user_id, device_name(user_agent), by.address)
    seen = await store.list_devices(tx, user_id)
    hashed = secret_hash(device_token.encode())
    if device_token and await challenge_store.is_remembered(tx, user_id, hashed):
        return hashed.hex()
    prints = app.keyring.fingerprints(trait)
    return prints[0].hex() if known_devices.is_known(prints, seen, now=tx.now) else ""
