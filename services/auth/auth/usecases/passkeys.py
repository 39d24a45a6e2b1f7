"""Passkeys of the caller: adding, naming and removing them. Adding and removing want fresh credentials."""

from uuid import UUID

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import Action, Author
from auth.domain.challenges import CHALLENGE_LIFETIME, Challenge, Factor, Purpose, secret_hash
from auth.domain.passkeys import (
    MOST_PASSKEYS,
    Passkey,
    PasskeyNotFound,
    PasskeyRefused,
    TooManyPasskeys,
    refuse_last_way_in,
)
from auth.relying_party import MadePasskey, Unacceptable
from auth.store import challenges as challenge_store
from auth.store import passkeys as store
from auth.usecases.account_mails import write_to
from auth.usecases.factors import first_recovery_codes, forget_what_stood_in, lock_user, record
from servicekit import ids
from servicekit.database import Transaction
from servicekit.paging import Page


async def begin_passkey(app: App, user_id: UUID, *, by: Author) -> str:
    """What the browser needs to make a passkey, as JSON.

    Raises:
        TooManyPasskeys: there are 20 already.
        Unauthenticated: there is no such user (any more).
    """
    async with app.db.begin_platform(reason="begin with a passkey") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        present = await store.list_passkeys(tx, user_id)
        if len(present) >= MOST_PASSKEYS:
            raise TooManyPasskeys
        secret, challenge = Challenge.issue(Purpose.PASSKEY_REGISTRATION, user_id, now=tx.now)
        await challenge_store.insert_challenge(tx, challenge)
    return app.relying_party.creation_options(
        secret,
        user_handle=user_id.bytes,
        email=user.email,
        name=user.display_name,
        present=[(each.credential_id, each.transports) for each in present],
        lifetime=CHALLENGE_LIFETIME,
    )


async def add_passkey(
    app: App, user_id: UUID, *, name: str, credential: str, by: Author
) -> tuple[Passkey, list[str]]:
    """Keeps the passkey that the browser made. Answers new recovery codes when the user had none.

    Raises:
        PasskeyRefused: it does not hold, or was not begun by this user in the last five minutes.
        PasskeyExists: it is registered already.
        TooManyPasskeys: there are 20 already.
    """
    added = None
    async with app.db.begin_platform(reason="add a passkey") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        made = await _verify_made(app, tx, user_id, credential)
        if made is not None:
            if len(await store.list_passkeys(tx, user_id)) >= MOST_PASSKEYS:
                raise TooManyPasskeys
            passkey = Passkey(
                id=ids.new(),
                user_id=user_id,
                credential_id=made.credential_id,
                public_key=made.public_key,
                sign_count=made.sign_count,
                transports=made.transports,
                backup_eligible=made.backup_eligible,
                backed_up=made.backed_up,
                name=name.strip(),
                created_at=tx.now,
            )
            await store.insert_passkey(tx, passkey)
            codes = await first_recovery_codes(tx, user_id)
            await write_to(tx, MailKind.PASSKEY_ADDED, user, address=by.address)
            await record(tx, user_id, by, Action.FACTOR_ADDED, Factor.PASSKEY)
            added = passkey, codes
    if added is None:
        raise PasskeyRefused
    return added


async def list_passkeys(app: App, user_id: UUID, page: Page) -> tuple[list[Passkey], str]:
    """A page of the user's passkeys, the oldest first, and the token of the next."""
    async with app.db.begin_platform(reason="list the caller's passkeys") as tx:
        found = await store.list_passkeys(tx, user_id)
    return page.cut(found, lambda each: (each.id.hex,))


async def rename_passkey(app: App, user_id: UUID, passkey_id: UUID, name: str) -> Passkey:
    """The passkey under another name.

    Raises:
        PasskeyNotFound: the user has no such passkey.
    """
    async with app.db.begin_platform(reason="rename the caller's passkey") as tx:
        renamed = await store.rename_passkey(tx, user_id, passkey_id, name.strip())
    if renamed is None:
        raise PasskeyNotFound
    return renamed


async def remove_passkey(app: App, user_id: UUID, passkey_id: UUID, *, by: Author) -> None:
    """Forgets a passkey. Of two removals at once the second sees what the first has left.

    Raises:
        PasskeyNotFound: the user has no such passkey.
        LastWayIn: nothing else opens the account.
    """
    async with app.db.begin_platform(reason="remove the caller's passkey") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        present = [each.id for each in await store.list_passkeys(tx, user_id)]
        if passkey_id not in present:
            raise PasskeyNotFound
        refuse_last_way_in(has_password=bool(user.password_hash), other_passkeys=len(present) - 1)
        await store.delete_passkey(tx, user_id, passkey_id)
        await forget_what_stood_in(tx, user_id)
        await write_to(tx, MailKind.PASSKEY_REMOVED, user, address=by.address)
        await record(tx, user_id, by, Action.FACTOR_REMOVED, Factor.PASSKEY)


async def _verify_made(app: App, tx: Transaction, user_id: UUID, credential: str) -> MadePasskey | None:
    """The passkey, when the user has begun it; its challenge is used up whatever comes of it."""
    try:
        claimed = app.relying_party.read(credential)
        challenge = await challenge_store.take_challenge(
            tx, secret_hash(claimed.challenge), Purpose.PASSKEY_REGISTRATION
        )
        if challenge is None or challenge.user_id != user_id:
            return None
        return app.relying_party.verify_made(credential, challenge=claimed.challenge)
    except Unacceptable:
        return None
