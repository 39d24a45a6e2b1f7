"""Who gives and takes rights, and how far they may: by what the database says now, not by an older token."""

from dataclasses import replace
from uuid import UUID

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.members import OrganizationNotFound
from auth.domain.roles import Giver, Grant
from auth.store.grants import lock_grant
from auth.store.members import lock_organization
from auth.store.sessions import lock_sessions_in
from auth.usecases.holding import hold_session
from servicekit.database import Transaction
from servicekit.errors import PermissionDenied, Unauthenticated
from servicekit.identity import Caller
from servicekit.permissions import OWNER


async def enter(app: App, tx: Transaction, organization_id: UUID, caller: Caller) -> Giver:
    """Locks the organization against other changes of its people, and tells what the caller may give.

    A session that people call in does not end until the end of `tx`.

    People in a session of their own: what their token and the database both allow. Keys and operators: what
    they carry, and never ownership.

    Raises:
        OrganizationNotFound: it is gone.
        Unauthenticated: their session is over.
        PermissionDenied: the caller is no member any more.
    """
    if await lock_organization(tx, organization_id) is None:
        raise OrganizationNotFound
    if caller.key is not None or caller.operator is not None or caller.user is None:
        return Giver(caller.permissions, venues=caller.venues)
    if caller.session is None:
        raise Unauthenticated
    grant = await lock_grant(tx, organization_id, caller.user)  # before sessions, as whoever switches does
    await lock_sessions_in(tx, organization_id, caller.user)  # all, as whoever ends them does next
    await hold_session(app, tx, Author(ActorKind.USER, caller.user, session=caller.session))
    if grant is None:
        raise PermissionDenied
    held = giver_of(grant)
    limits = [each for each in (held.venues, caller.venues) if each is not None]
    return replace(
        held,
        permissions=held.permissions & caller.permissions,
        venues=frozenset.intersection(*limits) if limits else None,
    )


def giver_of(grant: Grant) -> Giver:
    """What a member in a session of their own may give."""
    return Giver(grant.permissions, owner=grant.role == OWNER, venues=grant.venues or None)
