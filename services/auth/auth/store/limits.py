"""Counts of wishes, in windows that begin with the first. Only platform transactions see them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth.domain.limits import Limit
from auth.tables import WISH_COUNTS
from servicekit.database import Transaction

_SWEPT_AT_A_TIME = 20
_NOW = sa.func.now()
_over = WISH_COUNTS.c.ends_at <= _NOW

_SWEEP = sa.delete(WISH_COUNTS).where(
    WISH_COUNTS.c.key.in_(
        sa.select(WISH_COUNTS.c.key)
        .where(_over)
        .order_by(WISH_COUNTS.c.ends_at)
        .limit(_SWEPT_AT_A_TIME)
        .with_for_update(skip_locked=True)
    )
)
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
).returning(WISH_COUNTS.c.count)


async def allows(tx: Transaction, limit: Limit, who: str) -> bool:
    """Counts one more wish, if and only if `tx` commits. False once there were too many in the window."""
    await tx.execute(_SWEEP)
    counted: int = (await tx.execute(_COUNT, {"who": limit.key(who), "window": limit.window})).scalar_one()
    return counted <= limit.most
