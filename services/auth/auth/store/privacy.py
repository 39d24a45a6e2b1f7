"""Requests about persons, their receipts and documents, as rows; and what auth itself keeps of a person."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth.domain.privacy import PrivacyRequest, Receipt, RequestKind, RequestStatus
from auth.tables import PRIVACY_IDENTIFIERS, PRIVACY_PARTS, PRIVACY_RECEIPTS, PRIVACY_REQUESTS
from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.paging import Page

_R = PRIVACY_REQUESTS.c
_request = sa.bindparam("request", type_=sa.Uuid)
_of_id = _R.id == _request
_MOMENT = sa.DateTime(timezone=True)

_INSERT = insert(PRIVACY_REQUESTS).on_conflict_do_nothing(
    index_elements=["organization_id", "kind", "subject_hash"], index_where=sa.text("status = 'running'")
)
_GET = sa.select(PRIVACY_REQUESTS).where(_of_id)
_LOCK = _GET.with_for_update()
_FIND_OWN = _GET.where(
    _R.organization_id.is_not_distinct_from(sa.bindparam("organization", type_=sa.Uuid)),
    _R.user_id.is_not_distinct_from(sa.bindparam("user", type_=sa.Uuid)),
)
_FIND_RUNNING = sa.select(PRIVACY_REQUESTS).where(
    _R.organization_id.is_not_distinct_from(sa.bindparam("organization", type_=sa.Uuid)),
    _R.kind == sa.bindparam("wish", type_=sa.Text),
    _R.subject_hash == sa.bindparam("hash", type_=sa.LargeBinary),
    _R.status == RequestStatus.RUNNING.value,
)
_erasure = PRIVACY_REQUESTS.alias("erasure")
_ours, _theirs = PRIVACY_IDENTIFIERS.alias("ours"), PRIVACY_IDENTIFIERS.alias("theirs")
_shares_one = (
    sa.select(sa.literal(1))
    .select_from(_ours.join(_theirs, _theirs.c.identifier_hash == _ours.c.identifier_hash))
    .where(
        _ours.c.request_id == _erasure.c.id,
        _theirs.c.request_id == _R.id,
        _theirs.c.organization_id == _ours.c.organization_id,
    )
    .exists()
)
_LOCK_EXPORTS_IN = (
    sa.select(_R.id)
    .where(
        _R.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        _R.kind == RequestKind.EXPORT.value,
        _R.status != RequestStatus.EXPIRED.value,
    )
    .order_by(_R.id)
    .with_for_update()
)
# Of the same person in the same organization, also by another address or number; or of the same account.
_LOCK_EXPORTS_ABOUT = (
    sa.select(PRIVACY_REQUESTS)
    .join(
        _erasure,
        sa.and_(
            _erasure.c.id == _request,
            sa.or_(_erasure.c.subject_hash == _R.subject_hash, _shares_one),
            _erasure.c.organization_id.is_not_distinct_from(_R.organization_id),
        ),
    )
    .where(_R.kind == RequestKind.EXPORT.value, _R.status != RequestStatus.EXPIRED.value)
    .order_by(_R.id)
    .with_for_update(of=PRIVACY_REQUESTS)
)
_newest_first = _R.id.desc()
_most = sa.bindparam("most", type_=sa.Integer)
_LIST = (
    sa.select(PRIVACY_REQUESTS)
    .where(
        _R.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        _R.id < sa.bindparam("before", type_=sa.Uuid),
    )
    .order_by(_newest_first)
    .limit(_most)
)
_EXPORTS_OF = Keyset(
    sa.select(PRIVACY_REQUESTS).where(
        _R.user_id == sa.bindparam("user", type_=sa.Uuid), _R.kind == RequestKind.EXPORT.value
    ),
    _R.id,
    newest_first=True,
)
_SAVE = (
    sa.update(PRIVACY_REQUESTS)
    .where(_of_id)
    .values(
        status=sa.bindparam("new_status", type_=sa.Text),
        completed_at=sa.bindparam("completed", type_=_MOMENT),
        overdue_at=sa.bindparam("overdue", type_=_MOMENT),
        kept_until=sa.bindparam("kept", type_=_MOMENT),
    )
)
_FORGET_SUBJECT = sa.update(PRIVACY_REQUESTS).where(_of_id).values(sealed_subject=None)
_FORGET_KEY = sa.update(PRIVACY_REQUESTS).where(_of_id).values(sealed_key=None)
_RECEIPTS = (
    sa.select(PRIVACY_RECEIPTS)
    .where(PRIVACY_RECEIPTS.c.request_id == sa.any_(sa.bindparam("requests", type_=sa.ARRAY(sa.Uuid))))
    .order_by(PRIVACY_RECEIPTS.c.received_at, PRIVACY_RECEIPTS.c.service)
)
_PARTS = (
    sa.select(PRIVACY_PARTS.c.service, PRIVACY_PARTS.c.sealed_document)
    .where(PRIVACY_PARTS.c.request_id == _request)
    .order_by(PRIVACY_PARTS.c.service)
)
_INSERT_IDENTIFIERS = insert(PRIVACY_IDENTIFIERS).on_conflict_do_nothing()
_FORGET_IDENTIFIERS = sa.delete(PRIVACY_IDENTIFIERS).where(PRIVACY_IDENTIFIERS.c.request_id == _request)
_FORGET_PARTS = sa.delete(PRIVACY_PARTS).where(PRIVACY_PARTS.c.request_id == _request)


async def insert_request(
    tx: Transaction,
    request: PrivacyRequest,
    *,
    subject_hash: bytes,
    sealed_key: bytes | None,
    sealed_subject: bytes | None,
) -> bool:
    """Keeps a request that begins. False when one for the same person and wish runs already."""
    row = {
        "id": request.id,
        "organization_id": request.organization_id,
        "user_id": request.user_id,
        "kind": request.kind.value,
        "status": request.status.value,
        "subject_hash": subject_hash,
        "sealed_key": sealed_key,
        "sealed_subject": sealed_subject,
        "requested_by": request.requested_by,
        "created_at": request.created_at,
        "due_at": request.due_at,
    }
    return bool((await tx.execute(_INSERT, row)).rowcount)


async def find_running(
    tx: Transaction, organization: UUID | None, kind: RequestKind, subject_hash: bytes
) -> PrivacyRequest | None:
    """The request for a person and wish that runs."""
    values = {"organization": organization, "wish": kind.value, "hash": subject_hash}
    return await _one(tx, _FIND_RUNNING, values)


async def get_request(tx: Transaction, request_id: UUID) -> PrivacyRequest | None:
    """A request with its receipts. A tenant's transaction finds its organization's only."""
    return await _one(tx, _GET, {"request": request_id})


async def find_own_request(
    tx: Transaction, request_id: UUID, *, organization: UUID | None, user_id: UUID | None
) -> PrivacyRequest | None:
    """A request of the organization about a guest, or about the account: of others not even a look."""
    values = {"request": request_id, "organization": organization, "user": user_id}
    return await _one(tx, _FIND_OWN, values)


async def lock_request(tx: Transaction, request_id: UUID) -> PrivacyRequest | None:
    """The same, and nobody else changes it until the end of `tx`."""
    return await _one(tx, _LOCK, {"request": request_id})


async def lock_exports_about(tx: Transaction, erasure: PrivacyRequest) -> list[PrivacyRequest]:
    """The exports of the person whom a request is to erase, as far as they run or may be downloaded.

    By whatever they were asked for: also those that hold an address or a number of the erasure. What is being
    handed in at this moment is waited for: all exports of the organization are locked before the look.
    """
    if erasure.organization_id is not None:
        await tx.execute(_LOCK_EXPORTS_IN, {"organization": erasure.organization_id})
    return await _all(tx, _LOCK_EXPORTS_ABOUT, {"request": erasure.id})


async def list_requests(
    tx: Transaction, organization: UUID, *, before: UUID, most: int
) -> list[PrivacyRequest]:
    """Requests of an organization that are older than `before`, the newest first."""
    return await _all(tx, _LIST, {"organization": organization, "before": before, "most": most})


async def page_of_exports_of(tx: Transaction, user_id: UUID, page: Page) -> tuple[list[PrivacyRequest], str]:
    """A page of the exports of an account, the newest first, and the token of the next."""
    rows, token = await _EXPORTS_OF.read(tx, page, {"user": user_id})
    return await _with_receipts(tx, rows), token


async def save_request(tx: Transaction, request: PrivacyRequest) -> None:
    """Keeps where a locked request stands. One that has ended forgets whom it is about."""
    if not request.runs:
        await tx.execute(_FORGET_SUBJECT, {"request": request.id})
    values = {
        "new_status": request.status.value,
        "completed": request.completed_at,
        "overdue": request.overdue_at,
        "kept": request.kept_until,
    }
    await tx.execute(_SAVE, {"request": request.id} | values)


async def get_secrets(tx: Transaction, request_id: UUID) -> tuple[bytes | None, bytes | None]:
    """The sealed key of a request and its sealed subject, as far as they are not forgotten."""
    row = (await tx.execute(_GET, {"request": request_id})).one()
    return row.sealed_key, row.sealed_subject


async def insert_receipt(tx: Transaction, request: PrivacyRequest, receipt: Receipt) -> None:
    """Keeps a receipt that the locked request lacked."""
    row = {
        "request_id": request.id,
        "service": receipt.service,
        "organization_id": request.organization_id,
        "rows": dict(receipt.rows),
        "received_at": receipt.received_at,
    }
    await tx.execute(sa.insert(PRIVACY_RECEIPTS), row)


async def insert_part(tx: Transaction, request: PrivacyRequest, service: str, sealed: bytes) -> None:
    """Keeps the sealed document of a service that had not handed in any."""
    row = {
        "request_id": request.id,
        "service": service,
        "organization_id": request.organization_id,
        "sealed_document": sealed,
    }
    await tx.execute(sa.insert(PRIVACY_PARTS), row)


async def list_parts(tx: Transaction, request_id: UUID) -> Mapping[str, bytes]:
    """The sealed documents of an export by service."""
    return {row.service: row.sealed_document for row in await tx.execute(_PARTS, {"request": request_id})}


async def insert_identifiers(tx: Transaction, request: PrivacyRequest, hashes: Collection[bytes]) -> None:
    """Keeps by what else a request of an organization is known. Those that it has already stay."""
    if not hashes or request.organization_id is None:
        return
    row = {"request_id": request.id, "organization_id": request.organization_id}
    await tx.execute(_INSERT_IDENTIFIERS, [row | {"identifier_hash": each} for each in sorted(hashes)])


async def forget_documents(tx: Transaction, request_id: UUID) -> None:
    """Deletes the documents of a request, and its key: whatever copies there are cannot be read any more."""
    await tx.execute(_FORGET_IDENTIFIERS, {"request": request_id})
    await tx.execute(_FORGET_PARTS, {"request": request_id})
    await tx.execute(_FORGET_KEY, {"request": request_id})


async def _one(tx: Transaction, query: sa.Executable, values: Mapping[str, Any]) -> PrivacyRequest | None:
    found = await _all(tx, query, values)
    return found[0] if found else None


async def _all(tx: Transaction, query: sa.Executable, values: Mapping[str, Any]) -> list[PrivacyRequest]:
    return await _with_receipts(tx, (await tx.execute(query, values)).mappings().all())


async def _with_receipts(tx: Transaction, rows: Sequence[sa.RowMapping]) -> list[PrivacyRequest]:
    if not rows:
        return []
    receipts: dict[UUID, list[Receipt]] = {row["id"]: [] for row in rows}
    for row in await tx.execute(_RECEIPTS, {"requests": list(receipts)}):
        receipts[row.request_id].append(Receipt(row.service, row.rows, row.received_at))
    return [_of(row, receipts[row["id"]]) for row in rows]


def _of(row: sa.RowMapping, receipts: Sequence[Receipt]) -> PrivacyRequest:
    return PrivacyRequest(
        row["id"],
        RequestKind(row["kind"]),
        RequestStatus(row["status"]),
        row["organization_id"],
        row["user_id"],
        row["requested_by"],
        row["created_at"],
        row["due_at"],
        row["completed_at"],
        row["overdue_at"],
        row["kept_until"],
        tuple(receipts),
    )
