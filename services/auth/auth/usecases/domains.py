"""Verified domains are looked at again: one whose record is gone for days is not verified any more.

Whoever loses a domain loses its record, and must not go on to say who its people are.
"""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.connections import Connection, Domain
from auth.store import audit
from auth.store import connections as store
from auth.store import members as member_store
from auth.store import people as people_store
from auth.usecases.account_mails import write_to
from auth.usecases.ended_sessions import end_unvouched
from servicekit import ids, telemetry, timers
from servicekit.database import Transaction
from servicekit.timers import Timer

LOOK_FOR_DOMAIN = "look_for_domain"
"""The timer that looks for the record of a verified domain."""
_EVERY = timedelta(days=1)
_UNANSWERED = timedelta(hours=1)
_SPREAD_SECONDS = 3600

_log = telemetry.logger(__name__)


async def expect_look(tx: Transaction, connection: Connection, domain: Domain) -> None:
    """Has the record of a verified domain looked for in about a day, and daily from then on."""
    await _come_again(tx, f"{connection.organization_id}:{domain.name}", _EVERY)


async def look_for_domain(app: App, timer: Timer) -> None:
    """Looks for the record of a domain that is verified still; at its loss it has no timer any more.

    When nobody answers, it is looked for again in an hour, and nothing counts.
    """
    organization, _, name = timer.key.partition(":")
    organization_id = UUID(organization)
    async with app.db.begin_platform(reason="find a domain whose record is looked for again") as tx:
        found = await _find(tx, organization_id, name)
    records = await app.look_up_txt(found[1].record_name) if found is not None else ()
    async with app.db.begin_platform(reason="note whether the record of a domain is there") as tx:
        # Whoever logs in by the connection holds the same lock.
        await member_store.lock_organization(tx, organization_id)
        found = await _find(tx, organization_id, name)
        if not await timers.done(tx, timer) or found is None:
            return
        if records is None:
            _log.warning("domain_unanswered", domain=name)
            await _come_again(tx, timer.key, _UNANSWERED)
            return
        connection, before = found
        most = timedelta(days=app.sso.domain_missing_days)
        after = before.look_again(records, tx.now, most=most)
        if after != before:
            await store.save_look(tx, connection, after)
        if after.verified_at is not None:
            await _come_again(tx, timer.key, _EVERY)
        if after.verified_at is None:
            await end_unvouched(tx, organization_id, by=Author(ActorKind.SYSTEM))
            await _tell(tx, connection, after, MailKind.DOMAIN_LOST, Action.DOMAIN_LOST)
        elif after.missing_since is not None and before.missing_since is None:
            until = after.missing_since + most
            await _tell(tx, connection, after, MailKind.DOMAIN_MISSING, Action.DOMAIN_MISSING, until=until)


async def _find(tx: Transaction, organization_id: UUID, name: str) -> tuple[Connection, Domain] | None:
    """A verified domain of an organization, with its connection."""
    for connection in await store.list_connections(tx, organization_id):
        for domain in connection.domains:
            if domain.name == name and domain.verified_at is not None:
                return connection, domain
    return None


async def _come_again(tx: Transaction, key: str, wait: timedelta) -> None:
    """A little later than asked for, and not all at once."""
    spread = timedelta(seconds=secrets.randbelow(_SPREAD_SECONDS))
    await timers.schedule(tx, LOOK_FOR_DOMAIN, key, tx.now + wait + spread)


async def _tell(
    tx: Transaction,
    connection: Connection,
    domain: Domain,
    kind: MailKind,
    action: Action,
    *,
    until: datetime | None = None,
) -> None:
    """Mails the owners, and records it."""
    for user_id in await member_store.list_owners(tx, connection.organization_id):
        owner = await people_store.get_user(tx, user_id)
        if owner is not None:
            await write_to(tx, kind, owner, domain=domain.name, verified_until=until)
    await audit.record(
        tx,
        connection.organization_id,
        Author(ActorKind.SYSTEM),
        action,
        target=ids.show("con", connection.id),
        after={"domain": domain.name},
    )
