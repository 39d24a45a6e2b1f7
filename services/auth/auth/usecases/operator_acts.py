"""What operators do by break-glass: in the organization's audit log before it is done, or not done at all."""

from uuid import UUID

from auth.app import App
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.operator_access import OperatorAct
from auth.store import audit
from auth.store import operator_accesses as store
from servicekit import ids
from servicekit.errors import Unauthenticated


async def record_act(app: App, organization_id: UUID, act: OperatorAct) -> None:
    """Writes the call into the organization's audit log, once, however often it is told.

    The access is locked: a call is either in the log before the end of its access, or refused.

    Raises:
        Unauthenticated: the access is over, or it is none of this operator to this organization.
    """
    async with app.db.begin(organization_id) as tx:
        access = await store.lock_access(tx, act.access_id)
        if access is None or access.operator_id != act.operator_id or not access.holds(now=tx.now):
            raise Unauthenticated
        if await audit.has_entry(tx, organization_id, act.id):
            return
        by = Author(ActorKind.OPERATOR, act.operator_id, address=act.address, request_id=act.request_id)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.OPERATOR_ACCESS_USED,
            target=ids.show("acc", access.id),
            after={
                "call": act.call,
                "touched": list(act.touched),
                "reason": access.reason,
                "ticket": access.ticket,
            },
            entry_id=act.id,
        )
