"""Writes the audit log, in the transaction of the change that an entry speaks of, and reads it."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth.domain.audit import GENESIS, Action, ActorKind, Author, Entry, Values
from auth.tables import API_KEYS, AUDIT_ENTRIES, AUDIT_HEADS, ORGANIZATIONS
from servicekit import ids
from servicekit.database import Transaction

_of_chain = AUDIT_HEADS.c.organization_id == sa.bindparam("chain", type_=sa.Uuid)

# Counts one further; whoever else writes to the chain waits for the end of the transaction.
_STEP = (
    insert(AUDIT_HEADS)
    .values(organization_id=sa.bindparam("chain", type_=sa.Uuid), seq=1, hash=GENESIS)
    .on_conflict_do_update(index_elements=["organization_id"], set_={"seq": AUDIT_HEADS.c.seq + 1})
    .returning(AUDIT_HEADS.c.seq, AUDIT_HEADS.c.hash)
)
_MAKER = sa.select(API_KEYS.c.created_by).where(
    API_KEYS.c.organization_id == sa.bindparam("chain", type_=sa.Uuid),
    API_KEYS.c.id == sa.bindparam("key", type_=sa.Uuid),
)
_OWNER = sa.select(ORGANIZATIONS.c.sandbox_of).where(
    ORGANIZATIONS.c.id == sa.bindparam("chain", type_=sa.Uuid)
)
_ENTER = sa.select(
    sa.func.set_config("app.organization_id", sa.bindparam("tenant", type_=sa.Text), True)
)  # until the end of the transaction
_TENANT = sa.select(sa.func.current_setting("app.organization_id", True))  # it may be unset
_INSERT = sa.insert(AUDIT_ENTRIES)
_MOVE_HEAD = sa.update(AUDIT_HEADS).where(_of_chain).values(hash=sa.bindparam("newest", type_=sa.LargeBinary))
_LIST = (
    sa.select(AUDIT_ENTRIES)
    .where(
        AUDIT_ENTRIES.c.organization_id == sa.bindparam("chain", type_=sa.Uuid),
        AUDIT_ENTRIES.c.seq > sa.bindparam("after", type_=sa.BigInteger),
    )
    .order_by(AUDIT_ENTRIES.c.seq)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_HEAD = sa.select(AUDIT_HEADS.c.seq, AUDIT_HEADS.c.hash).where(_of_chain)
_HASH = sa.select(AUDIT_ENTRIES.c.hash).where(
    AUDIT_ENTRIES.c.organization_id == sa.bindparam("chain", type_=sa.Uuid),
    AUDIT_ENTRIES.c.seq == sa.bindparam("number", type_=sa.BigInteger),
)

_KNOWN = sa.select(AUDIT_ENTRIES.c.seq).where(
    AUDIT_ENTRIES.c.organization_id == sa.bindparam("chain", type_=sa.Uuid),
    AUDIT_ENTRIES.c.id == sa.bindparam("entry", type_=sa.Uuid),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries somebody looks for; what is None does not matter."""

    actor_id: UUID | None = None
    """Who acted, or in whose name."""
    action: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def rules(self) -> list[sa.ColumnElement[bool]]:
        """As conditions."""
        columns = AUDIT_ENTRIES.c
        rules: list[sa.ColumnElement[bool]] = []
        if self.actor_id is not None:
            rules.append(sa.or_(columns.actor_id == self.actor_id, columns.on_behalf_of == self.actor_id))
        if self.action is not None:
            rules.append(columns.action == self.action)
        if self.target is not None:
            rules.append(columns.target == self.target)
        if self.since is not None:
            rules.append(columns.at >= self.since)
        if self.until is not None:
            rules.append(columns.at < self.until)
        return rules


async def record(
    tx: Transaction,
    chain: UUID,
    author: Author,
    action: Action,
    *,
    target: str,
    before: Values | None = None,
    after: Values | None = None,
    entry_id: UUID | None = None,
) -> Entry:
    """Adds an entry to the chain of an organization, or to PLATFORM_CHAIN, if and only if `tx` commits.

    The chain is locked until then: record last in a transaction, several chains in the order of their ids.
    What a key does, it does on behalf of whoever made it. `entry_id` is for what may come twice: has_entry.
    """
    on_behalf_of = author.on_behalf_of
    if author.kind is ActorKind.KEY and on_behalf_of is None:
        on_behalf_of = await _maker(tx, chain, author.id)
    head = (await tx.execute(_STEP, {"chain": chain})).one()
    unsigned = Entry(
        organization_id=chain,
        seq=head.seq,
        id=entry_id or ids.new(),
        at=tx.now,
        actor_kind=author.kind,
        actor_id=author.id,
        on_behalf_of=on_behalf_of,
        action=action,
        target=target,
        address=author.address,
        request_id=author.request_id,
        before=before,
        after=after,
        previous_hash=head.hash,
        hash=b"",
    )
    entry = replace(unsigned, hash=unsigned.digest())
    await tx.execute(_INSERT, asdict(entry))
    await tx.execute(_MOVE_HEAD, {"chain": chain, "newest": entry.hash})
    return entry


async def _maker(tx: Transaction, chain: UUID, key: UUID | None) -> UUID | None:
    """Who made a key. Test keys act in a sandbox and belong to its owner, whose rows it does not see."""
    owner = (
        (await tx.execute(_OWNER, {"chain": chain})).scalar_one_or_none() if ids.is_sandbox(chain) else None
    )
    if owner is None:
        return await _made_by(tx, chain, key)
    tenant = (await tx.execute(_TENANT)).scalar_one()
    await tx.execute(_ENTER, {"tenant": str(owner)})
    maker = await _made_by(tx, owner, key)
    await tx.execute(_ENTER, {"tenant": tenant or ""})
    return maker


async def _made_by(tx: Transaction, organization_id: UUID, key: UUID | None) -> UUID | None:
    found: UUID | None = (
        await tx.execute(_MAKER, {"chain": organization_id, "key": key})
    ).scalar_one_or_none()
    return found


async def has_entry(tx: Transaction, chain: UUID, entry_id: UUID) -> bool:
    """Whether a chain has an entry of this id."""
    return (await tx.execute(_KNOWN, {"chain": chain, "entry": entry_id})).scalar_one_or_none() is not None


async def list_entries(tx: Transaction, chain: UUID, *, after: int = 0, most: int = 1000) -> list[Entry]:
    """Entries of a chain in its order, from the one after number `after`."""
    found = await tx.execute(_LIST, {"chain": chain, "after": after, "most": most})
    return [_entry(row) for row in found.mappings()]


async def find_entries(
    tx: Transaction, chain: UUID, wanted: Wanted, *, before: int, most: int
) -> list[Entry]:
    """The entries of a chain that somebody looks for, the newest first, before number `before`."""
    query = (
        sa.select(AUDIT_ENTRIES)
        .where(AUDIT_ENTRIES.c.organization_id == chain, AUDIT_ENTRIES.c.seq < before, *wanted.rules())
        .order_by(AUDIT_ENTRIES.c.seq.desc())
        .limit(most)
    )
    return [_entry(row) for row in (await tx.execute(query)).mappings()]


async def get_head(tx: Transaction, chain: UUID) -> tuple[int, bytes]:
    """Number and hash of the newest entry of a chain; those of none for an empty one."""
    row = (await tx.execute(_HEAD, {"chain": chain})).one_or_none()
    return (row.seq, row.hash) if row else (0, GENESIS)


async def hash_of(tx: Transaction, chain: UUID, seq: int) -> bytes | None:
    """The hash of one entry."""
    found: bytes | None = (await tx.execute(_HASH, {"chain": chain, "number": seq})).scalar_one_or_none()
    return found


def _entry(row: sa.RowMapping) -> Entry:
    return Entry(
        **(dict(row) | {"actor_kind": ActorKind(row["actor_kind"]), "action": Action(row["action"])})
    )
