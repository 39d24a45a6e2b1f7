"""What people ask about persons: taken in with auth's own part of it, listed, and downloaded in the end."""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from auth.app import App
from auth.domain.audit import PLATFORM_CHAIN, Action, Author
from auth.domain.privacy import PrivacyRequest, PrivacyRequestNotFound, RequestKind, Subject
from auth.store import audit, personal_data
from auth.store import privacy as store
from auth.usecases import privacy as progress
from auth.usecases.holding import hold_session
from servicekit import idempotency, ids, privacy
from servicekit.database import Transaction
from servicekit.errors import Busy, InvalidPageToken
from servicekit.paging import Page

_AFTER_ALL = UUID(int=2**128 - 1)


async def create_request(
    app: App,
    organization_id: UUID,
    user_id: UUID,
    kind: RequestKind,
    subject: Subject,
    *,
    key: idempotency.Key | None,
    by: Author,
) -> PrivacyRequest:
    """Takes in a request about a guest; answers the one that runs for the same guest and wish, if there is.

    Raises:
        SubjectHasBookings, SubjectHasOpenPayments: somebody to be forgotten is expected, or money is.
        IdempotencyKeyReused: the key came with another request before.
        AppError: booking or payment did not answer.
    """
    if kind is RequestKind.ERASE:
        await app.guests.refuse_expected(organization_id, subject)
    request_id, digest = ids.new(), _digest(app, subject.written())
    async with app.db.begin(organization_id) as tx:
        await hold_session(app, tx, by)
        earlier = await idempotency.claim(tx, key, request_id)
        if earlier is not None:
            return await progress.see(tx, earlier)
        request = PrivacyRequest.take_in(
            request_id, kind, requested_by=user_id, now=tx.now, organization_id=organization_id
        )
        secret, sealed_key = progress.fresh_key(app, request_id)
        begun = await store.insert_request(
            tx,
            request,
            subject_hash=digest,
            sealed_key=sealed_key,
            sealed_subject=secret.close_up(subject.written(), bound_to=b"subject"),
        )
        if not begun:
            running = await store.find_running(tx, organization_id, kind, digest)
            if running is not None:
                return running
            raise Busy  # it ended in this moment: the next try begins another one
        await progress.know_by(app, tx, request, subject.identifiers)
        if kind is RequestKind.ERASE:
            rows: Mapping[str, int] = await personal_data.delete_guest(tx, subject.email)
        else:
            rows = {}
            kept = privacy.document(await personal_data.read_guest(tx, subject.email))
            await progress.keep_part(tx, request, "auth", secret, kept)
        request = await progress.begin(tx, request, rows)
        said = {"kind": kind.value, "subject": digest.hex()}
        target = ids.show("prq", request_id)
        await audit.record(tx, organization_id, by, Action.PRIVACY_REQUESTED, target=target, after=said)
    return request


async def names_of_number(
    app: App, organization_id: UUID, phone: str, *, by: Author
) -> Sequence[tuple[str, int]]:
    """The names that booking has a number by, with how many bookings. Nothing of it is kept.

    Raises:
        Unauthenticated: the session of the call is over.
    """
    async with app.db.begin(organization_id) as tx:
        await hold_session(app, tx, by)
    return await app.guests.names_of(organization_id, phone)


async def list_requests(app: App, organization_id: UUID, page: Page) -> tuple[list[PrivacyRequest], str]:
    """A page of requests, the newest first, and the token of the next. Raises InvalidPageToken."""
    try:
        before = UUID(page.after[0]) if page.after else _AFTER_ALL
    except ValueError:
        raise InvalidPageToken from None
    async with app.db.begin(organization_id) as tx:
        found = await store.list_requests(tx, organization_id, before=before, most=page.size + 1)
    shown = found[: page.size]
    return shown, page.next_token([shown[-1].id.hex]) if len(found) > page.size else ""


async def get_request(app: App, organization_id: UUID, request_id: UUID) -> PrivacyRequest:
    """A request of an organization. Raises PrivacyRequestNotFound."""
    async with app.db.begin(organization_id) as tx:
        return await progress.see(tx, request_id)


async def export_account(app: App, user_id: UUID, *, by: Author) -> PrivacyRequest:
    """Takes in a person's wish for all that is kept of their account, or answers the one that runs."""
    request_id, digest = ids.new(), _digest(app, user_id.bytes)
    async with app.db.begin_platform(reason="export an account") as tx:
        await hold_session(app, tx, by)
        request = PrivacyRequest.take_in(
            request_id, RequestKind.EXPORT, requested_by=user_id, now=tx.now, user_id=user_id
        )
        secret, sealed_key = progress.fresh_key(app, request_id)
        begun = await store.insert_request(
            tx, request, subject_hash=digest, sealed_key=sealed_key, sealed_subject=None
        )
        if not begun:
            running = await store.find_running(tx, None, RequestKind.EXPORT, digest)
            if running is not None:
                return running
            raise Busy
        kept = privacy.document(await personal_data.read_account(tx, user_id))
        await progress.keep_part(tx, request, "auth", secret, kept)
        request = await progress.begin(tx, request, {})
        target = ids.show("prq", request_id)
        said = {"kind": RequestKind.EXPORT.value}
        await audit.record(tx, PLATFORM_CHAIN, by, Action.PRIVACY_REQUESTED, target=target, after=said)
    return request


async def forget_account(app: App, tx: Transaction, user_id: UUID, rows: Mapping[str, int]) -> None:
    """Has all services forget an account that `tx` deletes; `rows` went here."""
    request = PrivacyRequest.take_in(
        ids.new(), RequestKind.ERASE, requested_by=user_id, now=tx.now, user_id=user_id
    )
    digest = _digest(app, user_id.bytes)
    await store.insert_request(tx, request, subject_hash=digest, sealed_key=None, sealed_subject=None)
    await progress.begin(tx, request, rows)


async def list_own_exports(app: App, user_id: UUID, page: Page) -> tuple[list[PrivacyRequest], str]:
    """A page of the exports of a person's account, the newest first, and the token of the next."""
    async with app.db.begin_platform(reason="list the exports of an account") as tx:
        return await store.page_of_exports_of(tx, user_id, page)


async def download(
    app: App, request_id: UUID, *, organization: UUID | None, user_id: UUID | None, by: Author
) -> bytes:
    """An export as a ZIP archive: one JSON document of each service. Who downloads it is recorded.

    Raises:
        PrivacyRequestNotFound: no such request of the organization, or of the account.
        ExportNotReady, ExportExpired
    """
    async with app.db.begin_platform(reason="download an export") as tx:
        await hold_session(app, tx, by)
        request = await store.find_own_request(tx, request_id, organization=organization, user_id=user_id)
        if request is None:
            raise PrivacyRequestNotFound
        request.refuse_unless_downloadable(tx.now)
        sealed_key, _ = await store.get_secrets(tx, request_id)
        parts = await store.list_parts(tx, request_id)
        chain, target = organization or PLATFORM_CHAIN, ids.show("prq", request_id)
        await audit.record(tx, chain, by, Action.PRIVACY_EXPORT_DOWNLOADED, target=target)
    assert sealed_key is not None  # noqa: S101  # it goes together with the status
    secret = progress.opened_key(app, request_id, sealed_key)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for service, sealed in parts.items():
            document = zlib.decompress(secret.open_up(sealed, bound_to=service.encode()))
            archive.writestr(f"{service}.json", document)
    return written.getvalue()


def _digest(app: App, subject: bytes) -> bytes:
    return app.seal.digest(subject, bound_to=b"subject of a privacy request")
