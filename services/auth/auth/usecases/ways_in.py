"""Whether a person may log in by other means than their organization's connection. Opens no session."""

from uuid import UUID

from auth.domain.sso import SsoRequired
from auth.store import connections as store
from servicekit import ids
from servicekit.database import Transaction


async def refuse_other_ways(tx: Transaction, user_id: UUID) -> None:
    """Makes sure that no organization of the person wants them to log in by its connection.

    Asked once the person has proved who they are, so that nobody else learns of it. Owners may always log in
    by other means: a broken connection locks nobody out.

    Raises:
        SsoRequired: one does, of the domain of their address.
    """
    connection_id = await store.find_required(tx, user_id)
    if connection_id is not None:
        raise SsoRequired(metadata={"connection": ids.show("con", connection_id)})
