"""How requests about persons go on: receipts come in, the last ends it, what was gathered is forgotten."""

import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from prometheus_client import Counter

from auth import events
from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.privacy import (
    PrivacyRequest,
    PrivacyRequestNotFound,
    Receipt,
    RequestKind,
    Subject,
    identifiers_in,
)
from auth.sealing import Seal
from auth.store import audit
from auth.store import people as people_store
from auth.store import privacy as store
from auth.usecases.account_mails import write_to
from servicekit import ids, inbox, timers
from servicekit.database import Transaction
from servicekit.events import Event
from servicekit.timers import Timer

PRIVACY_OVERDUE = "privacy_overdue"
"""The timer that finds out, after 30 days, that a request still runs."""
FORGET_EXPORT = "forget_export"
"""The timer that deletes the documents of an export."""
_IDENTIFIER = b"identifier of a person"
_OVERDUE = Counter(
    "comptoir_privacy_requests_overdue_total",
    "Requests about persons that still ran after 30 days.",
    ["kind"],
)


async def find_subject(app: App, organization_id: UUID, request_id: UUID) -> Subject | None:
    """Whom a request of an organization is about; None once it has ended.

    Raises:
        PrivacyRequestNotFound: the organization has no such request.
    """
    async with app.db.begin(organization_id) as tx:
        await see(tx, request_id)
        sealed_key, sealed_subject = await store.get_secrets(tx, request_id)
    if sealed_key is None or sealed_subject is None:
        return None
    secret = opened_key(app, request_id, sealed_key)
    return Subject.read(secret.open_up(sealed_subject, bound_to=b"subject"))


async def take_receipt(
    app: App, event: Event, request_id: UUID, service: str, rows: Mapping[str, int]
) -> None:
    """A service has erased its part. Raises AlreadyHandled."""
    async with app.db.begin_platform(reason="take in the receipt of a service") as tx:
        await inbox.claim(tx, event)
        request = await store.lock_request(tx, request_id)
        if request is not None and request.kind is RequestKind.ERASE:
            await _note(tx, request, Receipt(service, rows, tx.now))


async def take_part(
    app: App, organization: UUID | None, request_id: UUID, service: str, document: bytes
) -> None:
    """A service hands in its part of an export: its receipt. What comes again or too late changes nothing.

    Raises:
        PrivacyRequestNotFound: no such export, or of another organization.
    """
    async with app.db.begin_platform(reason="take in a part of an export") as tx:
        request = await store.lock_request(tx, request_id)
        if (
            request is None
            or request.organization_id != organization
            or request.kind is not RequestKind.EXPORT
        ):
            raise PrivacyRequestNotFound
        sealed_key, _ = await store.get_secrets(tx, request_id)
        if service not in request.waiting_for or sealed_key is None:
            return
        await keep_part(tx, request, service, opened_key(app, request_id, sealed_key), document)
        await know_by(app, tx, request, identifiers_in(document))
        await _note(tx, request, Receipt(service, {}, tx.now))


async def find_overdue(app: App, timer: Timer) -> None:
    """After 30 days: a request that still runs is marked, and counted."""
    async with app.db.begin_platform(reason="find requests about persons that are late") as tx:
        request = await store.lock_request(tx, UUID(timer.key))
        if not await timers.done(tx, timer) or request is None or not request.is_overdue(tx.now):
            return
        await store.save_request(tx, replace(request, overdue_at=tx.now))
        tx.after_commit.append(_OVERDUE.labels(request.kind.value).inc)


async def forget_export(app: App, timer: Timer) -> None:
    """After seven days: the documents of an export go, and its key."""
    async with app.db.begin_platform(reason="forget the documents of an export") as tx:
        request = await store.lock_request(tx, UUID(timer.key))
        if not await timers.done(tx, timer) or request is None:
            return
        await _expire(tx, request)


async def begin(tx: Transaction, request: PrivacyRequest, rows: Mapping[str, int]) -> PrivacyRequest:
    """Auth's own part is done with the request: its receipt, word to the others, and a look in 30 days.

    Exports of somebody who is to be erased are forgotten now, and those begun meanwhile at the end.
    """
    if request.kind is RequestKind.ERASE:
        await _forget_exports(tx, request)
    await timers.schedule(tx, PRIVACY_OVERDUE, str(request.id), request.due_at)
    await events.privacy_requested(tx, request)
    return await _note(tx, request, Receipt("auth", rows, tx.now))


async def _note(tx: Transaction, request: PrivacyRequest, receipt: Receipt) -> PrivacyRequest:
    noted = request.note(receipt)
    if noted is request:
        return request
    await store.insert_receipt(tx, noted, receipt)
    if not noted.runs:
        await _complete(tx, noted)
    return noted


async def _complete(tx: Transaction, request: PrivacyRequest) -> None:
    await store.save_request(tx, request)
    await timers.cancel(tx, PRIVACY_OVERDUE, str(request.id))
    if request.kind is RequestKind.ERASE:
        await _forget_exports(tx, request)
        await store.forget_documents(tx, request.id)
    elif request.kept_until is not None:
        await timers.schedule(tx, FORGET_EXPORT, str(request.id), request.kept_until)
        asker = await people_store.get_user(tx, request.requested_by)
        if asker is not None:
            await write_to(tx, MailKind.EXPORT_READY, asker)
    chain, target = request.organization_id or PLATFORM_CHAIN, ids.show("prq", request.id)
    await audit.record(tx, chain, Author(ActorKind.SYSTEM), Action.PRIVACY_COMPLETED, target=target)


async def _forget_exports(tx: Transaction, erasure: PrivacyRequest) -> None:
    for export in await store.lock_exports_about(tx, erasure):
        await _expire(tx, export)  # its timer finds nothing left to do


async def _expire(tx: Transaction, export: PrivacyRequest) -> None:
    await store.forget_documents(tx, export.id)
    await store.save_request(tx, export.expire(tx.now))


async def see(tx: Transaction, request_id: UUID) -> PrivacyRequest:
    """A request that `tx` sees. Raises PrivacyRequestNotFound."""
    request = await store.get_request(tx, request_id)
    if request is None:
        raise PrivacyRequestNotFound
    return request


async def keep_part(
    tx: Transaction, request: PrivacyRequest, service: str, secret: Seal, document: bytes
) -> None:
    """Keeps what a service has of a person, sealed with the request's key."""
    sealed = secret.close_up(zlib.compress(document), bound_to=service.encode())
    await store.insert_part(tx, request, service, sealed)


async def know_by(app: App, tx: Transaction, request: PrivacyRequest, identifiers: Iterable[str]) -> None:
    """Keeps keyed hashes of the addresses and numbers that a request names or holds, for erasures."""
    hashes = {app.seal.digest(each.encode(), bound_to=_IDENTIFIER) for each in identifiers}
    await store.insert_identifiers(tx, request, hashes)


def fresh_key(app: App, request_id: UUID) -> tuple[Seal, bytes]:
    """A key of the request's own, and how it is kept."""
    key = os.urandom(32)
    return Seal(key), app.seal.close_up(key, bound_to=b"privacy request " + request_id.bytes)


def opened_key(app: App, request_id: UUID, sealed_key: bytes) -> Seal:
    """What the key of a request seals and opens."""
    return Seal(app.seal.open_up(sealed_key, bound_to=b"privacy request " + request_id.bytes))
