"""How long an organization keeps what. Auth owns the settings; other services copy them from its event."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicekit import inbox
from servicekit.database import Database, Transaction
from servicekit.events import Event
from servicekit.tables import retention_table

SETTINGS = retention_table(sa.MetaData())
FEWEST_DAYS = 1
MOST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Periods:
    """Days after which something goes; the defaults hold for whoever never said otherwise."""

    guest_days: int = 730
    """Who booked or waited, after the visit's end or the last day that was waited for."""
    wish_days: int = 90
    """What guests wished and noted, counted likewise; it never outlives the guest."""
    ticket_days: int = 730
    """What a resolved ticket says, and who wrote it."""
    mail_days: int = 90
    """What is known of a mail that was sent, called off or given up."""
    delivery_days: int = 30
    """A webhook delivery that ended."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What holds for an organization."""

    version: int = 1
    """Rises with every change; 1 while nobody changed anything."""
    periods: Periods = Periods()


_NAMES = tuple(asdict(Periods()))
_FIND = sa.select(SETTINGS).where(SETTINGS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid))
_insert = insert(SETTINGS)
_NOTE = _insert.on_conflict_do_update(
    index_elements=["organization_id"],
    set_={name: _insert.excluded[name] for name in ("version", "changed_at", *_NAMES)},
    where=SETTINGS.c.version < _insert.excluded.version,
)


async def read(tx: Transaction) -> Retention:
    """What holds for the organization of `tx`; the defaults as long as nothing else was heard."""
    row = (await tx.execute(_FIND, {"organization": tx.organization})).mappings().one_or_none()
    if row is None:
        return Retention()
    return Retention(row["version"], Periods(**{name: row[name] for name in _NAMES}))


async def note(tx: Transaction, retention: Retention) -> bool:
    """Remembers what holds from now on. False, and nothing is changed, when as new a version is known."""
    row = {"organization_id": tx.organization, "version": retention.version, "changed_at": tx.now}
    return bool((await tx.execute(_NOTE, row | asdict(retention.periods))).rowcount)


async def note_change(db: Database, event: Event) -> None:
    """Copies what an organization changed, unless a newer change is known.

    Raises:
        AlreadyHandled: the event was handled before.
    """
    told = event.message
    periods = Periods(**{name: getattr(told, name) for name in _NAMES})
    async with db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await note(tx, Retention(told.version, periods))


def before(tx: Transaction, days: int) -> datetime:
    """What happened earlier than this, by the database's clock, is older than so many days."""
    return tx.now - timedelta(days=days)
