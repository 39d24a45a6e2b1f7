"""Deletes mails and deliveries that are long over. Never what is still to be sent."""

import sqlalchemy as sa

from notification.tables import MAIL_OVER_AT, NOTIFICATIONS, WEBHOOK_DELIVERIES
from servicekit import retention
from servicekit.database import Transaction
from servicekit.purging import Purged, delete, deletion
from servicekit.retention import Periods

_before = sa.bindparam("before", type_=sa.DateTime(timezone=True))
_organization = sa.bindparam("organization", type_=sa.Uuid)
_over = sa.and_(NOTIFICATIONS.c.status.not_in(["scheduled", "sending"]), _before > MAIL_OVER_AT)
_MAILS = deletion(
    NOTIFICATIONS, sa.and_(NOTIFICATIONS.c.organization_id == _organization, _over), oldest=MAIL_OVER_AT
)
_ACCOUNT_MAILS = deletion(
    NOTIFICATIONS, sa.and_(NOTIFICATIONS.c.organization_id.is_(None), _over), oldest=MAIL_OVER_AT
)
# Their attempts go with them.
_DELIVERIES = deletion(
    WEBHOOK_DELIVERIES,
    sa.and_(
        WEBHOOK_DELIVERIES.c.organization_id == _organization,
        WEBHOOK_DELIVERIES.c.status != "pending",
        WEBHOOK_DELIVERIES.c.created_at < _before,
    ),
    oldest=WEBHOOK_DELIVERIES.c.created_at,
)


async def purge_mails(tx: Transaction, periods: Periods, most: int) -> Purged:
    """Deletes mails that ended, and whose booking began, long enough ago."""
    before = retention.before(tx, periods.mail_days)
    return await delete(tx, _MAILS, most, organization=tx.organization, before=before)


async def purge_account_mails(tx: Transaction, most: int) -> Purged:
    """Deletes mails about accounts, which belong to no organization: after the platform's own time."""
    return await delete(tx, _ACCOUNT_MAILS, most, before=retention.before(tx, Periods().mail_days))


async def purge_deliveries(tx: Transaction, periods: Periods, most: int) -> Purged:
    """Deletes deliveries that ended and were made long enough ago, with their attempts."""
    before = retention.before(tx, periods.delivery_days)
    return await delete(tx, _DELIVERIES, most, organization=tx.organization, before=before)
