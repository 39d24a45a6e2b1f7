"""Ending sessions that are locked, whoever ends them, and recording it. Never judges who may."""

from collections.abc import Sequence
from types import MappingProxyType
from uuid import UUID

from auth.domain.account_mails import MailKind
from auth.domain.audit import Action, Author
from auth.domain.sessions import EndReason, Session
from auth.store import account_mails as mail_store
from auth.store import audit
from auth.store import sessions as store
from servicekit import ids
from servicekit.database import Transaction

_ACTIONS = MappingProxyType({EndReason.LOGGED_OUT: Action.SESSION_CLOSED})


async def end_locked(tx: Transaction, sessions: Sequence[Session], *, reason: EndReason, by: Author) -> None:
    """Ends locked sessions that were not ended; then records that, in the order of the chains."""
    held = [each for each in sessions if each.ended_at is None]
    for session in held:
        await store.save_session(tx, session.end(tx.now, reason))
    for session in sorted(held, key=lambda each: (each.organization_id, each.id)):
        await audit.record(
            tx,
            session.organization_id,
            by,
            _ACTIONS.get(reason, Action.SESSION_REVOKED),
            target=ids.show("ses", session.id),
            after={"reason": reason.value, "device": session.device},
        )


async def forget_address_change(tx: Transaction, user_id: UUID) -> None:
    """Voids a change of address that is not confirmed yet: whoever is shut out now may have asked for it.

    Before sessions are locked, wherever it is known by then: taking a change back locks mails, then sessions.
    """
    await mail_store.delete_mails_of(tx, user_id, MailKind.EMAIL_CHANGE)


async def end_opened_by(tx: Transaction, organization_id: UUID, connection_id: UUID, *, by: Author) -> None:
    """Ends what a connection has opened by another provider, also where own credentials were given since.

    Where and when as `end_unvouched`. What begins later, or waits, is refused by `Connection.is_at`.
    """
    found = await store.lock_opened_by(tx, organization_id, connection_id)
    await end_locked(tx, found, reason=EndReason.PROVIDER_CHANGED, by=by)


async def end_unvouched(tx: Transaction, organization_id: UUID, *, by: Author) -> None:
    """Ends what a connection opened that is gone, or does not speak for the person's address any more.

    In a platform transaction that holds the organization's lock, as log-ins by connections do, and before
    anything else is recorded in it. What begins later is refused at its refresh.
    """
    found = await store.lock_unvouched(tx, organization_id)
    await end_locked(tx, found, reason=EndReason.CONNECTION_GONE, by=by)
