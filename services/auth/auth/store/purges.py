"""Deletes what is long over and has no timer of its own. Never what still holds."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from auth.domain.accounts import ATTEMPTS_WINDOW
from auth.domain.known_devices import REMEMBERED
from auth.tables import (
    CHALLENGES,
    KNOWN_DEVICES,
    LOG_IN_ATTEMPTS,
    OPERATOR_SECRETS,
    OPERATOR_SESSIONS,
    REMEMBERED_DEVICES,
    REVOCATIONS,
    SESSIONS,
    SSO_ARRIVALS,
    SSO_ATTEMPTS,
    WISH_COUNTS,
)
from servicekit.database import Transaction
from servicekit.purging import Purged, delete, deletion
from servicekit.retention import Periods

SESSIONS_KEPT = timedelta(days=90)
"""After they ended: for whoever asks which sessions there were."""
REVOCATIONS_KEPT = timedelta(hours=2)
"""Longer than any access token holds."""

_ended = sa.func.coalesce(SESSIONS.c.ended_at, SESSIONS.c.expires_at)
_SESSIONS = deletion(
    SESSIONS,
    sa.and_(
        SESSIONS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        _ended < sa.bindparam("before", type_=sa.DateTime(timezone=True)),
    ),
    oldest=_ended,
)


def _since(table: sa.Table, column: sa.ColumnElement[Any], kept: timedelta) -> sa.Delete:
    return deletion(table, column < sa.func.now() - kept, oldest=column)


_LEFTOVERS = (
    _since(SSO_ARRIVALS, SSO_ARRIVALS.c.expires_at, timedelta()),
    _since(SSO_ATTEMPTS, SSO_ATTEMPTS.c.expires_at, timedelta()),
    _since(CHALLENGES, CHALLENGES.c.expires_at, timedelta()),
    _since(LOG_IN_ATTEMPTS, LOG_IN_ATTEMPTS.c.since, ATTEMPTS_WINDOW),
    _since(WISH_COUNTS, WISH_COUNTS.c.ends_at, timedelta()),
    _since(REVOCATIONS, REVOCATIONS.c.revoked_at, REVOCATIONS_KEPT),
    _since(REMEMBERED_DEVICES, REMEMBERED_DEVICES.c.expires_at, timedelta()),
    _since(KNOWN_DEVICES, KNOWN_DEVICES.c.seen_at, REMEMBERED),
    # Operators are few: no index.
    _since(OPERATOR_SECRETS, OPERATOR_SECRETS.c.expires_at, timedelta()),
    _since(
        OPERATOR_SESSIONS,
        sa.func.coalesce(OPERATOR_SESSIONS.c.ended_at, OPERATOR_SESSIONS.c.expires_at),
        SESSIONS_KEPT,
    ),
)


async def purge_sessions(tx: Transaction, _periods: Periods, most: int) -> Purged:
    """Deletes sessions that ended, or ran out, long ago."""
    before = tx.now - SESSIONS_KEPT
    return await delete(tx, _SESSIONS, most, organization=tx.organization, before=before)


async def purge_leftovers(tx: Transaction, most: int) -> Purged:
    """Deletes what was begun and not ended, counts of windows that are over, devices not seen for long."""
    purged = [await delete(tx, each, most) for each in _LEFTOVERS]
    return Purged(sum(each.rows for each in purged), more=any(each.more for each in purged))
