"""Domains of an organization's own: claimed, verified by DNS, and looked at again every day.

Whoever loses a domain loses its record, and the domain must not go on to show their venues.
"""

import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from auth.app import App
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.connections import Domain
from auth.domain.sites import MOST_DOMAINS, TooManyWebDomains, WebDomain, WebDomainNotFound
from auth.store import audit, members
from auth.store import sites as store
from auth.usecases.holding import hold_session
from auth.usecases.sites import enter
from servicekit import ids, telemetry, timers
from servicekit.database import Transaction
from servicekit.timers import Timer

LOOK_FOR_WEB_DOMAIN = "look_for_web_domain"
"""The timer that looks for the record of a verified domain."""
_EVERY = timedelta(days=1)
_UNANSWERED = timedelta(hours=1)
_SPREAD_SECONDS = 3600

_log = telemetry.logger(__name__)


async def list_domains(app: App, organization_id: UUID) -> list[WebDomain]:
    """Those of the organization, by name."""
    async with app.db.begin(organization_id) as tx:
        return await store.list_domains(tx, organization_id)


async def create_domain(app: App, organization_id: UUID, name: str, *, by: Author) -> WebDomain:
    """Claims a domain, which shows nothing before its record was seen.

    Raises:
        WebDomainExists: the organization has claimed it already.
        TooManyWebDomains: there are twenty.
        Unauthenticated: the session of the call is over.
    """
    claimed = WebDomain(ids.new(), Domain.claim(name))
    async with app.db.begin(organization_id) as tx:
        await enter(app, tx, organization_id, by)
        if len(await store.list_domains(tx, organization_id)) >= MOST_DOMAINS:
            raise TooManyWebDomains
        await store.insert_domain(tx, organization_id, claimed)
        await _record(tx, organization_id, by, Action.WEB_DOMAIN_CLAIMED, claimed)
    return claimed


async def verify_domain(app: App, organization_id: UUID, domain_id: UUID, *, by: Author) -> WebDomain:
    """Verifies a domain whose record is there. It belongs to one organization: the first.

    Raises:
        WebDomainNotFound: there is none.
        Unauthenticated: the session of the call is over.
        Busy: another organization gets it at the same moment.
    """
    async with app.db.begin(organization_id) as tx:
        await hold_session(app, tx, by)
        waiting = await _get(tx, organization_id, domain_id)
    if waiting.domain.verified_at is not None:
        return waiting
    records = await app.look_up_txt(waiting.domain.record_name) or ()
    async with app.db.begin_platform(reason="verify a web domain, which one organization has alone") as tx:
        await enter(app, tx, organization_id, by)
        before = await _get(tx, organization_id, domain_id)
        after = replace(before, domain=before.domain.look(records, tx.now))
        if after == before or await store.is_verified_anywhere(tx, after.domain.name):
            return before
        await store.save_domain(tx, organization_id, after)
        await _come_again(tx, f"{organization_id}:{domain_id}", _EVERY)
        await _record(tx, organization_id, by, Action.WEB_DOMAIN_VERIFIED, after)
    return after


async def delete_domain(app: App, organization_id: UUID, domain_id: UUID, *, by: Author) -> None:
    """Gives a domain up.

    Raises:
        WebDomainNotFound: there is none.
        Unauthenticated: the session of the call is over.
    """
    async with app.db.begin(organization_id) as tx:
        await enter(app, tx, organization_id, by)
        gone = await _get(tx, organization_id, domain_id)
        await store.delete_domain(tx, organization_id, domain_id)
        await _record(tx, organization_id, by, Action.WEB_DOMAIN_GIVEN_UP, gone)


async def look_for_web_domain(app: App, timer: Timer) -> None:
    """Looks for the record of a domain that is verified still; at its loss it has no timer any more.

    When nobody answers, it is looked for again in an hour, and nothing counts.
    """
    organization, _, domain = timer.key.partition(":")
    organization_id, domain_id = UUID(organization), UUID(domain)
    async with app.db.begin_platform(reason="find a web domain whose record is looked for again") as tx:
        found = await _find(tx, organization_id, domain_id)
    records = await app.look_up_txt(found.domain.record_name) if found is not None else ()
    async with app.db.begin_platform(reason="note whether the record of a web domain is there") as tx:
        await members.lock_organization(tx, organization_id)
        found = await _find(tx, organization_id, domain_id)
        if not await timers.done(tx, timer) or found is None or found.domain.verified_at is None:
            return
        if records is None:
            _log.warning("web_domain_unanswered", domain=found.domain.name)
            await _come_again(tx, timer.key, _UNANSWERED)
            return
        await _note_look(app, tx, organization_id, found, records, key=timer.key)


async def _note_look(
    app: App, tx: Transaction, organization_id: UUID, found: WebDomain, records: Collection[str], *, key: str
) -> None:
    before = found.domain
    most = timedelta(days=app.sso.domain_missing_days)
    domain = before.look_again(records, tx.now, most=most)
    after = replace(found, domain=domain)
    if domain != before:
        await store.save_domain(tx, organization_id, after)
    if domain.verified_at is not None:
        await _come_again(tx, key, _EVERY)
    system = Author(ActorKind.SYSTEM)
    if domain.verified_at is None:
        await _record(tx, organization_id, system, Action.WEB_DOMAIN_LOST, after)
    elif domain.missing_since is not None and before.missing_since is None:
        await _record(tx, organization_id, system, Action.WEB_DOMAIN_MISSING, after)


async def _find(tx: Transaction, organization_id: UUID, domain_id: UUID) -> WebDomain | None:
    found = await store.list_domains(tx, organization_id)
    return next((each for each in found if each.id == domain_id), None)


async def _get(tx: Transaction, organization_id: UUID, domain_id: UUID) -> WebDomain:
    found = await _find(tx, organization_id, domain_id)
    if found is None:
        raise WebDomainNotFound
    return found


async def _come_again(tx: Transaction, key: str, wait: timedelta) -> None:
    """A little later than asked for, and not all at once."""
    spread = timedelta(seconds=secrets.randbelow(_SPREAD_SECONDS))
    await timers.schedule(tx, LOOK_FOR_WEB_DOMAIN, key, tx.now + wait + spread)


async def _record(
    tx: Transaction, organization_id: UUID, by: Author, action: Action, domain: WebDomain
) -> None:
    target = ids.show("dom", domain.id)
    await audit.record(tx, organization_id, by, action, target=target, after={"domain": domain.domain.name})
