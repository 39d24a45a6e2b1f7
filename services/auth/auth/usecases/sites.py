"""Origins and the theme of an organization; and what gateways are told of origins and domains."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain.audit import Action, Author, Values
from auth.domain.sites import (
    MOST_ORIGINS,
    Look,
    Origin,
    OriginNotFound,
    Site,
    Theme,
    TooManyOrigins,
    origin_of,
)
from auth.store import audit, members
from auth.store import sites as store
from auth.usecases.holding import hold_session
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import VersionMismatch


async def list_origins(app: App, organization_id: UUID) -> list[Origin]:
    """Those of the organization, by their text."""
    async with app.db.begin(organization_id) as tx:
        return await store.list_origins(tx, organization_id)


async def create_origin(app: App, organization_id: UUID, text: str, *, by: Author) -> Origin:
    """Allows an origin.

    Raises:
        OriginInvalid: it is none, or neither https nor of the machine itself.
        OriginExists: it is allowed already.
        TooManyOrigins: there are twenty.
        Unauthenticated: the session of the call is over.
    """
    origin = Origin(ids.new(), origin_of(text))
    async with app.db.begin(organization_id) as tx:
        await enter(app, tx, organization_id, by)
        if len(await store.list_origins(tx, organization_id)) >= MOST_ORIGINS:
            raise TooManyOrigins
        await store.insert_origin(tx, organization_id, origin)
        target, said = ids.show("ori", origin.id), {"origin": origin.origin}
        await audit.record(tx, organization_id, by, Action.ORIGIN_ALLOWED, target=target, after=said)
    return origin


async def delete_origin(app: App, organization_id: UUID, origin_id: UUID, *, by: Author) -> None:
    """Forgets an origin.

    Raises:
        OriginNotFound: there is none.
        Unauthenticated: the session of the call is over.
    """
    async with app.db.begin(organization_id) as tx:
        await enter(app, tx, organization_id, by)
        gone = await store.delete_origin(tx, organization_id, origin_id)
        if gone is None:
            raise OriginNotFound
        target, said = ids.show("ori", gone.id), {"origin": gone.origin}
        await audit.record(tx, organization_id, by, Action.ORIGIN_FORGOTTEN, target=target, before=said)


async def get_theme(app: App, organization_id: UUID) -> Theme:
    """What holds; the platform's look as long as nobody changed it."""
    async with app.db.begin(organization_id) as tx:
        return await store.get_theme(tx, organization_id)


async def update_theme(
    app: App, organization_id: UUID, look: Look, *, expected_version: int = 0, by: Author
) -> Theme:
    """Replaces the look. Changes nothing, and tells nobody, when it holds already.

    Raises:
        ColoursTooAlike: somebody could not read it.
        VersionMismatch: it has changed since that version; 0 expects nothing.
        Unauthenticated: the session of the call is over.
    """
    look = look.checked()
    async with app.db.begin(organization_id) as tx:
        await enter(app, tx, organization_id, by)
        before = await store.get_theme(tx, organization_id)
        if expected_version not in {0, before.version}:
            raise VersionMismatch
        if look == before.look:
            return before
        after = Theme(before.version + 1, look)
        await store.save_theme(tx, organization_id, after)
        await events.theme_updated(tx, organization_id, after)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.THEME_CHANGED,
            target=ids.show("org", organization_id),
            before=_said(before.look),
            after=_said(look),
        )
    return after


async def list_sites(app: App, since: datetime | None) -> tuple[Sequence[Site], datetime]:
    """What changed since then, or all that ever was; and when we looked."""
    async with app.db.begin_platform(reason="tell gateways of origins and domains") as tx:
        return await store.list_sites(tx, since), tx.now


async def enter(app: App, tx: Transaction, organization_id: UUID, by: Author) -> None:
    """Locks the organization, so that changes come one by one, and holds the session of the call.

    Raises:
        Unauthenticated: it is over.
    """
    await members.lock_organization(tx, organization_id)
    await hold_session(app, tx, by)


def _said(look: Look) -> Values:
    return asdict(look)
