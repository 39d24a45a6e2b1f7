"""Mails about accounts and the hashes of their links. Only platform transactions see them."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa

from auth.domain.account_mails import AccountMail, MailKind
from auth.tables import ACCOUNT_LINKS, ACCOUNT_MAILS
from servicekit.database import Transaction

_of_id = ACCOUNT_MAILS.c.id == sa.bindparam("mail", type_=sa.Uuid)
_of_kind = ACCOUNT_MAILS.c.kind == sa.bindparam("why", type_=sa.Text)
_of_kinds = ACCOUNT_MAILS.c.kind == sa.any_(sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)))
_of_user = ACCOUNT_MAILS.c.user_id == sa.bindparam("user", type_=sa.Uuid)

_INSERT = sa.insert(ACCOUNT_MAILS)
_LOCK = sa.select(ACCOUNT_MAILS).where(_of_id).with_for_update()
_FIND_BY_TOKEN = (
    sa.select(ACCOUNT_MAILS)
    .join(ACCOUNT_LINKS)
    .where(
        ACCOUNT_LINKS.c.token_hash == sa.bindparam("token", type_=sa.LargeBinary),
        _of_kind,
        ACCOUNT_MAILS.c.expires_at > sa.func.now(),
    )
)
_LOCK_BY_TOKEN = _FIND_BY_TOKEN.with_for_update(of=ACCOUNT_MAILS)
_INSERT_LINK = sa.insert(ACCOUNT_LINKS)
_DELETE = sa.delete(ACCOUNT_MAILS).where(_of_id)
_DELETE_OF_ADDRESS = sa.delete(ACCOUNT_MAILS).where(
    ACCOUNT_MAILS.c.email == sa.bindparam("recipient", type_=sa.Text), _of_kind
)
_DELETE_OF_USER = sa.delete(ACCOUNT_MAILS).where(_of_user, _of_kind)
_DELETE_SINCE = sa.delete(ACCOUNT_MAILS).where(
    _of_user,
    _of_kinds,
    ACCOUNT_MAILS.c.created_at >= sa.bindparam("since", type_=sa.DateTime(timezone=True)),
)


async def insert_mail(tx: Transaction, mail: AccountMail) -> None:
    """Keeps a mail that is to be written."""
    await tx.execute(_INSERT, asdict(mail))


async def lock_mail(tx: Transaction, mail_id: UUID) -> AccountMail | None:
    """A mail, which nobody else uses until the end of `tx`; None once it is used or forgotten."""
    return _mail((await tx.execute(_LOCK, {"mail": mail_id})).mappings().one_or_none())


async def insert_link(tx: Transaction, mail_id: UUID, token_hash: bytes) -> None:
    """Keeps the hash of a link's token. It holds as long as the mail is kept."""
    await tx.execute(_INSERT_LINK, {"mail_id": mail_id, "token_hash": token_hash})


async def find_by_token(tx: Transaction, kind: MailKind, token_hash: bytes) -> AccountMail | None:
    """The mail whose link has the token, while that holds. A token of another kind of mail is none."""
    found = await tx.execute(_FIND_BY_TOKEN, {"why": kind.value, "token": token_hash})
    return _mail(found.mappings().one_or_none())


async def lock_by_token(tx: Transaction, kind: MailKind, token_hash: bytes) -> AccountMail | None:
    """The same, locked as by `lock_mail`: of two who use a token at once, the second finds nothing."""
    found = await tx.execute(_LOCK_BY_TOKEN, {"why": kind.value, "token": token_hash})
    return _mail(found.mappings().one_or_none())


async def delete_mail(tx: Transaction, mail_id: UUID) -> None:
    """Forgets a mail; its links hold no more."""
    await tx.execute(_DELETE, {"mail": mail_id})


async def delete_mails_to(tx: Transaction, email: str, kind: MailKind) -> None:
    """Forgets all mails of a kind to an address."""
    await tx.execute(_DELETE_OF_ADDRESS, {"recipient": email, "why": kind.value})


async def delete_mails_of(tx: Transaction, user_id: UUID, kind: MailKind) -> None:
    """Forgets all mails of a kind about a user."""
    await tx.execute(_DELETE_OF_USER, {"user": user_id, "why": kind.value})


async def delete_mails_since(tx: Transaction, mail: AccountMail, kinds: Sequence[MailKind]) -> None:
    """Forgets a mail of a user, and those of these kinds that came after it."""
    await tx.execute(
        _DELETE_SINCE,
        {"user": mail.user_id, "kinds": [each.value for each in kinds], "since": mail.created_at},
    )


def _mail(row: sa.RowMapping | None) -> AccountMail | None:
    return AccountMail(**(dict(row) | {"kind": MailKind(row["kind"])})) if row is not None else None
