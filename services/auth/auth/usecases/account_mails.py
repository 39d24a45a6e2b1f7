"""Mails about accounts, from the wish to write one to what it says. Never tells if an address is known."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain.account_mails import AccountMail, MailKind, fresh_token
from auth.domain.operator_access import OperatorAccess
from auth.domain.people import User
from auth.store import account_mails as store
from auth.store import operator_accesses as access_store
from auth.store import people as people_store
from auth.store import registrations as registration_store
from servicekit import ids, timers
from servicekit.database import Transaction

FORGET_ACCOUNT_MAIL = "forget_account_mail"
"""The timer that ends what a mail's link could do."""


@dataclass(frozen=True, slots=True)
class Visit:
    """An operator's access to an organization, as its owners are told."""

    organization_name: str
    access: OperatorAccess


@dataclass(frozen=True, slots=True)
class IssuedMail:
    """What a mail needs."""

    kind: MailKind
    email: str
    display_name: str
    language: str
    token: str
    """The secret of its link; empty for a mail without one."""
    device: str
    address: str
    occurred_at: datetime
    visit: Visit | None = None
    """The operator's access that it speaks of."""
    domain: str = ""
    """The organization's domain that it speaks of."""
    verified_until: datetime | None = None
    """Until when that stays verified, at least; None when it is not any more."""
    organization_name: str = ""
    """The organization where sessions were ended."""


async def write_to(
    tx: Transaction,
    kind: MailKind,
    user: User,
    *,
    email: str = "",
    device: str = "",
    address: str = "",
    access_id: UUID | None = None,
    domain: str = "",
    verified_until: datetime | None = None,
    organization_name: str = "",
) -> None:
    """Has a user written to, at their own address or `email`. The mail speaks of what else is given."""
    mail = AccountMail(
        id=ids.new(),
        kind=kind,
        email=email or user.email,
        created_at=tx.now,
        expires_at=tx.now + kind.holds,
        user_id=None if kind is MailKind.ACCOUNT_DELETED else user.id,
        display_name=user.display_name,
        language=user.language,
        device=device,
        address=address,
        access_id=access_id,
        domain=domain,
        verified_until=verified_until,
        organization_name=organization_name,
    )
    await ask_for(tx, mail)


async def ask_for(tx: Transaction, mail: AccountMail) -> None:
    """Has a mail written if and only if `tx` commits."""
    await store.insert_mail(tx, mail)
    await timers.schedule(tx, FORGET_ACCOUNT_MAIL, str(mail.id), mail.expires_at)
    await events.account_mail_requested(tx, mail.id)


async def issue_account_mail(app: App, mail_id: UUID) -> IssuedMail | None:
    """What a mail that is about to be sent says, with a fresh token; those issued before hold as long.

    None when there is nothing to say (any more): its link was used, a newer one took its place, it ran out,
    the address of a forgotten password is nobody's, or the new address is somebody's.
    """
    async with app.db.begin_platform(reason="issue a mail about an account") as tx:
        mail = await store.lock_mail(tx, mail_id)
        if mail is None or mail.over(tx.now):
            return None
        name, language = mail.display_name, mail.language
        if mail.kind is MailKind.PASSWORD_RESET:
            user = await people_store.find_user_of_address(tx, mail.email)
            if user is None:
                return None
            name, language = user.display_name, user.language
        if mail.kind is MailKind.EMAIL_CHANGE and await registration_store.is_taken(tx, mail.email):
            return None
        visit = None
        if mail.access_id is not None:
            visit = await _visit(tx, mail.access_id)
            if visit is None:
                return None
        token = ""
        if mail.kind.has_link:
            token, hashed = fresh_token()
            await store.insert_link(tx, mail.id, hashed)
    return IssuedMail(
        mail.kind,
        mail.email,
        name,
        language,
        token,
        mail.device,
        mail.address,
        mail.created_at,
        visit,
        mail.domain,
        mail.verified_until,
        mail.organization_name,
    )


async def _visit(tx: Transaction, access_id: UUID) -> Visit | None:
    """What a mail tells of an operator's access; None once the organization is gone."""
    access = await access_store.get_access(tx, access_id)
    organization = await access_store.find_organization(tx, access.organization_id) if access else None
    return Visit(organization.name, access) if access and organization else None
