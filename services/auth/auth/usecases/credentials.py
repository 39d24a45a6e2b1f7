"""Passwords: changing the own one, setting another by a link. None is ever hashed in a transaction."""

from uuid import UUID

from auth.app import App
from auth.domain import accounts
from auth.domain.account_mails import AccountMail, LinkInvalid, MailKind
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import PLATFORM_CHAIN, Action, Author
from auth.domain.limits import (
    RESETS_FROM_NETWORK,
    RESETS_FROM_PLACE,
    RESETS_OF_ADDRESS,
    network,
    place,
)
from auth.domain.people import User
from auth.domain.sessions import EndReason
from auth.store import account_mails as mail_store
from auth.store import accounts as account_store
from auth.store import audit, limits
from auth.store import challenges as challenge_store
from auth.store import people as store
from auth.store import sessions as session_store
from auth.usecases.account_mails import ask_for, write_to
from auth.usecases.ended_sessions import forget_address_change
from auth.usecases.guessing import compare, count_in_sessions
from auth.usecases.holding import hold_session
from auth.usecases.new_passwords import hash_new_password
from auth.usecases.own_sessions import end_sessions
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import Unauthenticated

_NEW = "/new_password"


async def change_password(
    app: App, user_id: UUID, session_id: UUID, *, old: str, new: str, by: Author
) -> None:
    """Changes the user's password and ends their other sessions. Tries are counted as by `reauthenticate`.

    Raises:
        TooManyAttempts: as for log_in.
        InvalidCredentials: `old` is not their password, or not any more.
        PasswordTooCommon: anybody would guess `new`.
        Unauthenticated: there is no such user (any more), or the session of the call is over.
        Unavailable: too many passwords wait to be hashed.
    """
    async with app.db.begin_platform(reason="find the caller's password") as tx:
        found = await account_store.find_user(tx, user_id)
        if found is None:
            raise Unauthenticated
        email, password_hash = found
        await hold_session(app, tx, by)
        counted = await count_in_sessions(app, tx, user_id, password_hash, by=by)
        names = await store.organization_names(tx, user_id)
    counted.refuse_more()
    if not (await compare(app, counted, password_hash, old)).fits:
        raise InvalidCredentials
    new_hash = await hash_new_password(app, new, email=email, names=names, field=_NEW)
    async with app.db.begin_platform(reason="change the caller's password") as tx:
        user = await store.lock_user(tx, user_id)
        if user is None or user.password_hash != password_hash:
            raise InvalidCredentials  # changed meanwhile: `old` is not the password any more
        await _set_password(tx, user, new_hash)
        await session_store.lock_sessions(tx, user.id)
        await hold_session(app, tx, by)
        await _record(tx, user, by, Action.PASSWORD_CHANGED)
        await end_sessions(app, tx, user.id, reason=EndReason.PASSWORD_CHANGED, by=by, keep=session_id)


async def forget_password(app: App, email: str, *, by: Author) -> None:
    """Takes in the wish for a link. A newer wish takes the place of older ones.

    Does the very same for every address, known or not: whether there is anybody is decided when the mail is
    written. The fourth wish within an hour, for an address or from a place, is quietly let go, and so
    is the 31st from a network.
    """
    address = accounts.normalise_email(email)
    async with app.db.begin_platform(reason="take in a forgotten password") as tx:
        of_address = await limits.allows(tx, RESETS_OF_ADDRESS, address)
        from_place = await limits.allows(tx, RESETS_FROM_PLACE, place(by.address))
        from_network = await limits.allows(tx, RESETS_FROM_NETWORK, network(by.address))
        if of_address and from_place and from_network:
            await ask_to_reset(tx, address)


async def ask_to_reset(tx: Transaction, email: str) -> None:
    """Has a link to set a password mailed to whoever has the address, and voids earlier ones."""
    kind = MailKind.PASSWORD_RESET
    await mail_store.delete_mails_to(tx, email, kind)
    await ask_for(tx, AccountMail(ids.new(), kind, email, tx.now, tx.now + kind.holds))


async def reset_password(app: App, token: str, *, new: str, by: Author) -> None:
    """Sets a password by the token of a link, which works once, and ends all sessions.

    Opens none: whoever has the mailbox alone gets no further than the second factor.

    Raises:
        LinkInvalid: wrong, used, older than half an hour, or a newer link was asked for.
        PasswordTooCommon: anybody would guess `new`; the token holds on.
        Unavailable: too many passwords wait to be hashed.
    """
    hashed = accounts.token_hash(token)
    async with app.db.begin_platform(reason="find who resets a password") as tx:
        mail = await mail_store.find_by_token(tx, MailKind.PASSWORD_RESET, hashed)
        user = await store.find_user_of_address(tx, mail.email) if mail else None
        if mail is None or user is None:
            raise LinkInvalid
        names = await store.organization_names(tx, user.id)
    new_hash = await hash_new_password(app, new, email=user.email, names=names, field=_NEW)
    async with app.db.begin_platform(reason="reset a password") as tx:
        locked = await store.lock_user_of_address(tx, mail.email)
        if locked is None or await mail_store.lock_by_token(tx, MailKind.PASSWORD_RESET, hashed) is None:
            raise LinkInvalid
        await account_store.clear_attempts(tx, accounts.attempt_key(locked.email, by.address))
        await _set_password(tx, locked, new_hash)
        await session_store.lock_sessions(tx, locked.id)
        await _record(tx, locked, by, Action.PASSWORD_RESET)
        await end_sessions(app, tx, locked.id, reason=EndReason.PASSWORD_RESET, by=by)


async def _set_password(tx: Transaction, user: User, password_hash: str) -> None:
    """Keeps the hash, voids what the old one had begun or could set another, and tells the user."""
    await account_store.save_password(tx, user.id, password_hash)
    await challenge_store.forget_second_steps(tx, user.id)
    await mail_store.delete_mails_to(tx, user.email, MailKind.PASSWORD_RESET)
    await forget_address_change(tx, user.id)
    await write_to(tx, MailKind.PASSWORD_CHANGED, user)


async def _record(tx: Transaction, user: User, by: Author, action: Action) -> None:
    await audit.record(tx, PLATFORM_CHAIN, by, action, target=ids.show("usr", user.id))
