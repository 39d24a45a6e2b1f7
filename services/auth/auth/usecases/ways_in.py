"""Whether a person may get in by other means than their organization's connection. Opens no session."""

from uuid import UUID

from auth.domain.sessions import Session
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
        raise _required(connection_id)


async def refuse_other_sessions(tx: Transaction, organization_id: UUID, user_id: UUID) -> None:
    """Makes sure that a person may be in the organization in a session that no connection opened.

    Raises:
        SsoRequired: it wants its connection, perhaps since after the session was opened.
    """
    connection_id = await store.find_required_in(tx, organization_id, user_id)
    if connection_id is not None:
        raise _required(connection_id)


async def find_other_way(tx: Transaction, session: Session) -> SsoRequired | None:
    """The refusal that names the connection which the organization wants by now in place of the session's."""
    connection_id = await store.find_required_in(tx, session.organization_id, session.user_id)
    return _required(connection_id) if connection_id is not None else None


async def refuse_other_addresses(tx: Transaction, user_id: UUID, email: str) -> None:
    """Makes sure that nobody leaves a connection that they must log in by, for an address of another domain.

    Raises:
        SsoRequired: there is such a connection, and it does not speak for the address.
    """
    connection_id = await store.find_required(tx, user_id)
    connection = await store.find_connection(tx, connection_id) if connection_id is not None else None
    if connection is not None and not connection.speaks_for(email):
        raise _required(connection.id)


def _required(connection_id: UUID) -> SsoRequired:
    return SsoRequired(metadata={"connection": ids.show("con", connection_id)})
