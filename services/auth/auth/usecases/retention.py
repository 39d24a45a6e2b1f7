"""How long an organization keeps what. Other services hear of it by an event, and forget by themselves."""

from dataclasses import asdict
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain.audit import Action, Author
from auth.store import audit, members
from auth.usecases.holding import hold_session
from servicekit import ids, retention
from servicekit.errors import VersionMismatch
from servicekit.retention import Periods, Retention


async def get_retention(app: App, organization_id: UUID) -> Retention:
    """What holds; the defaults as long as nobody changed them."""
    async with app.db.begin(organization_id) as tx:
        return await retention.read(tx)


async def update_retention(
    app: App, organization_id: UUID, periods: Periods, *, expected_version: int = 0, by: Author
) -> Retention:
    """Replaces all periods. Changes nothing, and tells nobody, when they hold already.

    Raises:
        Unauthenticated: the session of the call is over.
        VersionMismatch: they have changed since that version; 0 expects nothing.
    """
    async with app.db.begin(organization_id) as tx:
        await members.lock_organization(tx, organization_id)
        await hold_session(app, tx, by)
        before = await retention.read(tx)
        if expected_version not in {0, before.version}:
            raise VersionMismatch
        if periods == before.periods:
            return before
        after = Retention(before.version + 1, periods)
        await retention.note(tx, after)
        await events.retention_changed(tx, organization_id, after)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.RETENTION_CHANGED,
            target=ids.show("org", organization_id),
            before=asdict(before.periods),
            after=asdict(periods),
        )
    return after
