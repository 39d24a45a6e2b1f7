"""Mails and the versions of bookings, as rows."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from notification.domain.bookings import BookingChange
from notification.domain.mails import Mail, MailKind, MailStatus
from notification.tables import BOOKING_VERSIONS, NOTIFICATIONS
from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.paging import Page

_n = NOTIFICATIONS.c
_id = sa.bindparam("mail", type_=sa.Uuid)
_booking = sa.bindparam("booking", type_=sa.Uuid)

_seen = insert(BOOKING_VERSIONS)
_SEE_VERSION = _seen.on_conflict_do_update(
    index_elements=["organization_id", "booking_id"],
    set_={"version": _seen.excluded.version},
    where=BOOKING_VERSIONS.c.version < _seen.excluded.version,
)
_KNOWS = sa.select(BOOKING_VERSIONS.c.version).where(BOOKING_VERSIONS.c.booking_id == _booking)
_INSERT = insert(NOTIFICATIONS).on_conflict_do_nothing(constraint="notifications_once")
_GET = sa.select(NOTIFICATIONS).where(_n.id == _id)
_LOCK = _GET.with_for_update()
_PAGES = Keyset(sa.select(NOTIFICATIONS).where(_n.booking_id == _booking), _n.id, newest_first=True)
_kind = sa.bindparam("mail_kind", type_=sa.Text)
_HAS = sa.select(_n.id).where(_n.booking_id == _booking, _n.kind == _kind).limit(1)
_CANCEL = (
    sa.update(NOTIFICATIONS)
    .where(_n.booking_id == _booking, _n.kind == _kind, _n.status == MailStatus.SCHEDULED.value)
    .values(status=MailStatus.CANCELLED.value)
    .returning(_n.id)
)
_SAVE = (
    sa.update(NOTIFICATIONS)
    .where(_n.id == _id)
    .values(
        status=sa.bindparam("to", type_=sa.Text),
        attempts=sa.bindparam("tries", type_=sa.Integer),
        sent_at=sa.bindparam("sent", type_=sa.DateTime(timezone=True)),
        due_at=sa.bindparam("due", type_=sa.DateTime(timezone=True)),
        error=sa.bindparam("why", type_=sa.Text),
    )
)


async def see_version(tx: Transaction, change: BookingChange) -> bool:
    """Remembers the version of a change. False when one as new was seen before: the change is old news."""
    row = {"organization_id": tx.organization, "booking_id": change.booking, "version": change.version}
    return bool((await tx.execute(_SEE_VERSION, row)).rowcount)


async def knows_booking(tx: Transaction, booking: UUID) -> bool:
    """Whether anything was heard of a booking of this organization."""
    return (await tx.execute(_KNOWS, {"booking": booking})).first() is not None


async def insert_mail(tx: Transaction, mail: Mail) -> bool:
    """Adds a mail. False when there is one of its kind, subject and version."""
    row = {
        "id": mail.id,
        "organization_id": mail.organization,
        "kind": mail.kind.value,
        "subject_id": mail.subject,
        "version": mail.version,
        "booking_id": mail.booking,
        "starts_at": mail.starts_at,
        "status": mail.status.value,
        "due_at": mail.due_at,
    }
    return bool((await tx.execute(_INSERT, row)).rowcount)


async def get_mail(tx: Transaction, mail: UUID) -> Mail | None:
    """A mail, if there is one."""
    row = (await tx.execute(_GET, {"mail": mail})).mappings().one_or_none()
    return _mail(row) if row else None


async def lock_mail(tx: Transaction, mail: UUID) -> Mail | None:
    """A mail that nobody else changes until `tx` ends."""
    row = (await tx.execute(_LOCK, {"mail": mail})).mappings().one_or_none()
    return _mail(row) if row else None


async def page_of_mails(tx: Transaction, booking: UUID, page: Page) -> tuple[Sequence[Mail], str]:
    """A page of the mails about a booking, newest first, and the token of the next."""
    rows, token = await _PAGES.read(tx, page, {"booking": booking})
    return [_mail(row) for row in rows], token


async def has_mail(tx: Transaction, booking: UUID, kind: MailKind) -> bool:
    """Whether there is a mail of a kind about a booking, wherever it stands."""
    return (await tx.execute(_HAS, {"booking": booking, "mail_kind": kind.value})).first() is not None


async def cancel_mails(tx: Transaction, booking: UUID, kind: MailKind) -> Sequence[UUID]:
    """Calls off the mails of a kind about a booking that still wait; answers which."""
    row = {"booking": booking, "mail_kind": kind.value}
    return list((await tx.execute(_CANCEL, row)).scalars())


async def save_mail(tx: Transaction, mail: Mail, *, due_at: datetime | None = None, error: str = "") -> None:
    """Stores where a mail stands. `error` is a word of ours, never a server's text."""
    await tx.execute(
        _SAVE,
        {
            "mail": mail.id,
            "to": mail.status.value,
            "tries": mail.attempts,
            "sent": mail.sent_at,
            "due": due_at or mail.due_at,
            "why": error,
        },
    )


def _mail(row: sa.RowMapping) -> Mail:
    return Mail(
        id=row["id"],
        organization=row["organization_id"],
        kind=MailKind(row["kind"]),
        subject=row["subject_id"],
        version=row["version"],
        due_at=row["due_at"],
        booking=row["booking_id"],
        starts_at=row["starts_at"],
        status=MailStatus(row["status"]),
        attempts=row["attempts"],
        sent_at=row["sent_at"],
    )
