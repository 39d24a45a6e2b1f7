"""Moving an account to another address, and back. Never tells whether an address is taken."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from auth.app import App
from auth.domain import accounts
from auth.domain.account_mails import AccountMail, LinkInvalid, MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author, Values
from auth.domain.challenges import Factor
from auth.domain.limits import ADDRESS_CHANGES_OF_USER
from auth.domain.members import Member
from auth.domain.people import User
from auth.domain.sessions import EndReason
from auth.store import account_mails as mail_store
from auth.store import api_keys as key_store
from auth.store import audit, limits
from auth.store import challenges as challenge_store
from auth.store import connections as connection_store
from auth.store import factors as factor_store
from auth.store import members as member_store
from auth.store import people as store
from auth.store import registrations as registration_store
from auth.store import sessions as session_store
from auth.store import sso as sso_store
from auth.usecases.account_mails import write_to
from auth.usecases.credentials import ask_to_reset
from auth.usecases.holding import hold_session
from auth.usecases.members import end_membership, withdraw_invitations
from auth.usecases.own_sessions import end_sessions
from auth.usecases.ways_in import refuse_other_addresses
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import Busy, Unauthenticated

_BEFORE = timedelta(days=1)
"""How long before a change whoever asked for it may have come: its link holds a day."""


async def ask_to_change_email(app: App, user_id: UUID, email: str, *, by: Author) -> None:
    """Has a link mailed to the new address, which takes the place of earlier ones and holds a day.

    The fourth wish of a user within an hour is quietly let go, and so is one for an address that is taken.

    Raises:
        SsoRequired: the user must log in by a connection, which does not speak for the address.
        Unauthenticated: there is no such user (any more), or the session of the call is over.
    """
    address = accounts.normalise_email(email)
    async with app.db.begin_platform(reason="ask for another address") as tx:
        user = await store.lock_user(tx, user_id)
        if user is None:
            raise Unauthenticated
        await hold_session(app, tx, by)
        await refuse_other_addresses(tx, user_id, address)
        if await limits.allows(tx, ADDRESS_CHANGES_OF_USER, str(user_id)):
            await mail_store.delete_mails_of(tx, user.id, MailKind.EMAIL_CHANGE)
            await write_to(tx, MailKind.EMAIL_CHANGE, user, email=address)


async def confirm_email_change(app: App, token: str, *, by: Author) -> None:
    """Makes the address that the link was mailed to the account's. Sessions go on.

    The old address is told, with a link that takes the change back for seven days.

    Raises:
        LinkInvalid: wrong, used, expired, or the address is another account's by now.
        SsoRequired: as for the wish, by now.
    """
    async with app.db.begin_platform(reason="change an address") as tx:
        mail, user = await _use(tx, MailKind.EMAIL_CHANGE, token)
        await refuse_other_addresses(tx, user.id, mail.email)
        await move(app, tx, user, mail.email)
        await mail_store.delete_mails_of(tx, user.id, MailKind.EMAIL_CHANGE)
        await write_to(tx, MailKind.EMAIL_CHANGED, user)
        await _record(tx, user, by, Action.EMAIL_CHANGED)


async def revert_email_change(app: App, token: str, *, by: Author) -> None:
    """Gives the account the address back that the link was mailed to, whatever came after.

    Later changes can neither be confirmed nor taken back any more. Ways in that were added since the day
    before the change go, all sessions end, and a link that sets a password is mailed there.

    Nobody is refused it: the change may have moved a stolen account under a connection that an organization
    requires. So whoever leaves its domains by it leaves the organization, which may invite them again.

    Raises:
        LinkInvalid: wrong, used, expired, or the address is another account's by now.
    """
    async with app.db.begin_platform(reason="take the change of an address back") as tx:
        mail, user = await _use(tx, MailKind.EMAIL_CHANGED, token)
        requiring = await connection_store.list_requiring(tx, user.id)
        await move(app, tx, user, mail.email)
        left = requiring - await connection_store.list_requiring(tx, user.id)
        members = [await _leave(tx, organization, user.id) for organization in sorted(left)]
        await mail_store.delete_mails_since(tx, mail, (MailKind.EMAIL_CHANGE, MailKind.EMAIL_CHANGED))
        await ask_to_reset(tx, mail.email)
        await session_store.lock_sessions(tx, user.id)
        await _forget_ways_in(tx, replace(user, email=mail.email), since=mail.created_at - _BEFORE, by=by)
        await _record(tx, user, by, Action.EMAIL_REVERTED)
        for organization, before in members:
            keys = await key_store.count_keys_of(tx, organization, user.id)
            said: Values = {"role": before.grant.role, "api_keys": keys}
            target = ids.show("usr", user.id)
            system = Author(ActorKind.SYSTEM)
            await audit.record(tx, organization, system, Action.MEMBER_REMOVED, target=target, before=said)
        await end_sessions(app, tx, user.id, reason=EndReason.EMAIL_REVERTED, by=by)


async def _leave(tx: Transaction, organization_id: UUID, user_id: UUID) -> tuple[UUID, Member]:
    """Ends a membership without asking anybody. Raises Busy when it changes in this moment."""
    await member_store.lock_organization(tx, organization_id)
    member = await member_store.lock_member(tx, organization_id, user_id)
    if member is None or member.owns:
        raise Busy
    await end_membership(tx, organization_id, member)
    await withdraw_invitations(tx, organization_id, member)
    return organization_id, member


async def _forget_ways_in(tx: Transaction, user: User, *, since: datetime, by: Author) -> None:
    """Forgets what whoever had the account meanwhile may have added to come back by.

    Older factors stay: whoever has the old mailbox alone does not get past them.
    """
    gone = await factor_store.forget_factors_since(tx, user.id, since)
    issuers = await sso_store.forget_identities_since(tx, user.id, since)
    await challenge_store.forget_second_steps(tx, user.id)
    for kind, factor in ((MailKind.TOTP_REMOVED, Factor.TOTP), (MailKind.PASSKEY_REMOVED, Factor.PASSKEY)):
        if factor in gone:
            await write_to(tx, kind, user, address=by.address)
    target = ids.show("usr", user.id)
    for each in gone:
        said = {"factor": each.value}
        await audit.record(tx, PLATFORM_CHAIN, by, Action.FACTOR_REMOVED, target=target, after=said)
    for issuer in issuers:
        said = {"issuer": issuer}
        await audit.record(tx, PLATFORM_CHAIN, by, Action.IDENTITY_UNLINKED, target=target, after=said)


async def _use(tx: Transaction, kind: MailKind, token: str) -> tuple[AccountMail, User]:
    """The mail of a link and its user, both locked: the address first, then the user, then the mail."""
    hashed = accounts.token_hash(token)
    found = await mail_store.find_by_token(tx, kind, hashed)
    if found is None or found.user_id is None:
        raise LinkInvalid
    await registration_store.lock_address(tx, found.email)
    user = await store.lock_user(tx, found.user_id)
    mail = await mail_store.lock_by_token(tx, kind, hashed)
    if user is None or mail is None:
        raise LinkInvalid
    return mail, user


async def move(app: App, tx: Transaction, user: User, email: str) -> None:
    """Keeps the new address of a locked user. Links that set a password, mailed to either before, are void.

    A keyed hash of the old one stays with the account: removals count by it.

    Raises:
        LinkInvalid: another user has it.
    """
    await store.save_email(tx, user.id, email)
    await store.keep_former_address(tx, user.id, hash_of_address(app, user.email))
    for each in (user.email, email):
        await mail_store.delete_mails_to(tx, each, MailKind.PASSWORD_RESET)


def hash_of_address(app: App, email: str) -> bytes:
    """By what an address is known that nobody has any more."""
    return app.seal.digest(email.encode(), bound_to=b"former address")


async def _record(tx: Transaction, user: User, by: Author, action: Action) -> None:
    await audit.record(tx, PLATFORM_CHAIN, by, action, target=ids.show("usr", user.id))
