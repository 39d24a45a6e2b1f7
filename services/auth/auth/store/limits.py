"""Counts of wishes, in windows that begin with the first. Only platform transactions see them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth.domain.limits import Limit
from auth.tables import WISH_COUNTS
from servicekit import purging
from servicekit.database import Transaction

_NOW = sa.func.now()
_over = WISH_COUNTS.c.ends_at <= _NOW
_left = sa.extract("epoch", WISH_COUNTS.c.ends_at - _NOW)

_SWEEP = purging.deletion(WISH_COUNTS, _over, oldest=WISH_COUNTS.c.ends_at)
_INSERT = insert(WISH_COUNTS).values(
    key=sa.bindparam("who", type_=sa.LargeBinary),
    count=1,
    ends_at=_NOW + sa.bindparam("window", type_=sa.Interval),
)
_COUNT = _INSERT.on_conflict_do_update(
    index_elements=["key"],
    set_={
        "count": sa.case((_over, 1), else_=WISH_COUNTS.c.count + 1),
        "ends_at": sa.case((_over, _INSERT.excluded.ends_at), else_=WISH_COUNTS.c.ends_at),
    },
).returning(
    WISH_COUNTS.c.count,
    sa.cast(sa.func.ceil(_left), sa.Integer).label("seconds_left"),
)
_LOOK = sa.select(WISH_COUNTS.c.count).where(
    WISH_COUNTS.c.key == sa.bindparam("who", type_=sa.LargeBinary), ~_over
)
_TAKE_BACK = (
    sa.update(WISH_COUNTS)
    .where(WISH_COUNTS.c.key == sa.bindparam("who", type_=sa.LargeBinary), ~_over, WISH_COUNTS.c.count > 0)
    .values(count=WISH_COUNTS.c.count - 1)
)


async def allows(tx: Transaction, limit: Limit, who: str) -> bool:
    """Counts one more wish, if and only if `tx` commits. False once there were too many in the window."""
    wait = await count(tx, limit, who)
    await sweep(tx)
    return wait is None


async def count(tx: Transaction, limit: Limit, who: str) -> int | None:
    """The same without sweeping: None, or in how many seconds the window ends that has had too many."""
    counted, seconds_left = await step(tx, limit, who)
    return seconds_left if counted > limit.most else None


async def step(tx: Transaction, limit: Limit, who: str) -> tuple[int, int]:
    """Counts one more, whatever the limit: how many there are, and in how many seconds the window ends."""
    row = (await tx.execute(_COUNT, {"who": limit.key(who), "window": limit.window})).mappings().one()
    return row["count"], row["seconds_left"]


async def look(tx: Transaction, limit: Limit, who: str) -> int:
    """How many there are in the window that runs."""
    return (await tx.execute(_LOOK, {"who": limit.key(who)})).scalar_one_or_none() or 0


async def take_back(tx: Transaction, limit: Limit, who: str) -> None:
    """One that was counted does not count after all."""
    await tx.execute(_TAKE_BACK, {"who": limit.key(who)})


async def sweep(tx: Transaction) -> None:
    """Forgets a few windows that are over. After what is counted: so nobody waits for others in a circle."""
    await purging.sweep(tx, _SWEEP)
