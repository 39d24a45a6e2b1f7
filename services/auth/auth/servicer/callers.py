"""The caller of an RPC as the domain says it."""

from uuid import UUID

from auth.domain.audit import ActorKind, Author
from servicekit import identity
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller, CallerKind
from servicekit.permissions import BY_CONNECTION


def author() -> Author:
    """Whoever makes the call being served, for the audit log."""
    caller, origin = identity.caller(), identity.origin()
    kind, who = _actor(caller)
    behalf = caller.user if who != caller.user else None
    own = kind is ActorKind.USER or caller.kind is CallerKind.PLATFORM  # access by break-glass is no session
    session = caller.session if own else None
    return Author(kind, who, behalf, address=caller.address, request_id=origin.request_id, session=session)


def person() -> tuple[UUID, UUID]:
    """The user who calls, and their session.

    Raises:
        Unauthenticated: the call is not made by a person in a session of their own.
    """
    caller = identity.caller()
    if caller.user is None or caller.session is None or caller.operator is not None:
        raise Unauthenticated
    return caller.user, caller.session


def reach() -> UUID | None:
    """The one organization that the caller may know and change, if its connection vouched for them.

    None for people with credentials of their own: all of theirs.
    """
    caller = identity.caller()
    return caller.tenant if BY_CONNECTION in caller.methods else None


def operator() -> tuple[UUID, UUID]:
    """The operator of the platform who calls, and their session there.

    Raises:
        Unauthenticated: the call is made by anybody else, or by an operator in an organization.
    """
    caller = identity.caller()
    if caller.kind is not CallerKind.PLATFORM or caller.operator is None or caller.session is None:
        raise Unauthenticated
    return caller.operator, caller.session


def _actor(caller: Caller) -> tuple[ActorKind, UUID | None]:
    if caller.operator is not None:
        return ActorKind.OPERATOR, caller.operator
    if caller.key is not None:
        return ActorKind.KEY, caller.key
    if caller.user is not None:
        return ActorKind.USER, caller.user
    return (ActorKind.SYSTEM if caller.kind is CallerKind.SERVICE else ActorKind.NOBODY), None
