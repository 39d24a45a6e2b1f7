"""Accounts at providers that a person is known by, for the person. Platform transactions only."""

from uuid import UUID

import sqlalchemy as sa

from auth.domain.identities import Identity
from auth.tables import IDENTITIES
from servicekit.database import Transaction

_columns = (IDENTITIES.c.realm, IDENTITIES.c.issuer, IDENTITIES.c.subject, IDENTITIES.c.created_at)
_LIST = (
    sa.select(*_columns)
    .where(IDENTITIES.c.user_id == sa.bindparam("user", type_=sa.Uuid))
    .order_by(IDENTITIES.c.created_at, IDENTITIES.c.realm, IDENTITIES.c.issuer, IDENTITIES.c.subject)
)
_DELETE = sa.delete(IDENTITIES).where(
    IDENTITIES.c.realm == sa.bindparam("in_realm", type_=sa.Uuid),
    IDENTITIES.c.issuer == sa.bindparam("by_issuer", type_=sa.Text),
    IDENTITIES.c.subject == sa.bindparam("as_subject", type_=sa.Text),
)


async def list_identities(tx: Transaction, user_id: UUID) -> list[Identity]:
    """Those that are linked to the person, the oldest first."""
    return [Identity(**row) for row in (await tx.execute(_LIST, {"user": user_id})).mappings()]


async def delete_identity(tx: Transaction, identity: Identity) -> None:
    """The provider means nobody by it any more."""
    named = {"in_realm": identity.realm, "by_issuer": identity.issuer, "as_subject": identity.subject}
    await tx.execute(_DELETE, named)
