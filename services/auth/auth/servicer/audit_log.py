"""The audit log: messages to use cases and back."""

import json
from datetime import UTC
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from auth.app import App
from auth.domain.audit import ActorKind, Entry, Values
from auth.servicer.organizations import own
from auth.store.audit import Wanted
from auth.usecases import audit_log
from comptoir.auth.v1 import audit_pb2, audit_pb2_grpc
from servicekit import ids, paging
from servicekit.errors import AppError, Kind

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_PREFIXES = {
    ActorKind.USER: "usr",
    ActorKind.KEY: "key",
    ActorKind.OPERATOR: "opr",
    ActorKind.CONNECTION: "con",
}


class ActorUnknown(AppError):
    """The filter is not the id of anybody who could have acted."""

    kind = Kind.UNPROCESSABLE
    reason = "ACTOR_UNKNOWN"
    detail = "Name a user, a key, an operator or a connection by their id."


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Reading the audit log."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def _chain(self, organization_id: str, *, sandbox: bool) -> UUID:
        """The chain of the caller's organization, or of its sandbox."""
        named = own(organization_id)
        return await audit_log.find_sandbox(self._app, named) if sandbox else named

    async def ListAuditEntries(
        self, request: audit_pb2.ListAuditEntriesRequest, _context: _Context
    ) -> audit_pb2.ListAuditEntriesResponse:
        """Lists what fits."""
        chain = await self._chain(request.organization_id, sandbox=request.sandbox)
        filters = audit_pb2.ListAuditEntriesRequest()
        filters.CopyFrom(request)
        filters.ClearField("page_size")
        filters.ClearField("page_token")
        scope = filters.SerializeToString(deterministic=True).hex()
        page = paging.page(request.page_size, request.page_token, "audit entries", scope, keys=1)
        found, token = await audit_log.list_entries(self._app, chain, _wanted(request), page)
        return audit_pb2.ListAuditEntriesResponse(
            items=[_shown(each) for each in found], next_page_token=token
        )

    async def ExportAuditEntries(
        self, request: audit_pb2.ExportAuditEntriesRequest, _context: _Context
    ) -> audit_pb2.ExportAuditEntriesResponse:
        """Answers a stretch, with all that is needed to check it."""
        chain = await self._chain(request.organization_id, sandbox=request.sandbox)
        found, newest = await audit_log.export_entries(self._app, chain, after=request.after)
        return audit_pb2.ExportAuditEntriesResponse(items=[_chained(each) for each in found], newest=newest)

    async def VerifyAuditLog(
        self, request: audit_pb2.VerifyAuditLogRequest, _context: _Context
    ) -> audit_pb2.VerifyAuditLogResponse:
        """Checks the chain."""
        chain = await self._chain(request.organization_id, sandbox=request.sandbox)
        verdict = await audit_log.verify_log(self._app, chain, after=request.after)
        return audit_pb2.VerifyAuditLogResponse(
            intact=verdict.first_broken is None,
            first_broken=verdict.first_broken or 0,
            verified=verdict.verified,
            newest=verdict.newest,
        )


def _wanted(request: audit_pb2.ListAuditEntriesRequest) -> Wanted:
    return Wanted(
        actor_id=_actor(request.actor_id) if request.actor_id else None,
        action=request.action or None,
        target=request.target or None,
        since=request.since.ToDatetime(UTC) if request.HasField("since") else None,
        until=request.until.ToDatetime(UTC) if request.HasField("until") else None,
    )


def _actor(text: str) -> UUID:
    prefix = text.partition("_")[0]
    if prefix not in _PREFIXES.values():
        raise ActorUnknown
    return ids.parse(prefix, text, ActorUnknown)


def _chained(entry: Entry) -> audit_pb2.ChainedAuditEntry:
    return audit_pb2.ChainedAuditEntry(
        entry=_shown(entry),
        hash=entry.hash.hex(),
        previous_hash=entry.previous_hash.hex(),
        canonical_json=entry.canonical(),
    )


def _shown(entry: Entry) -> audit_pb2.AuditEntry:
    prefix = _PREFIXES.get(entry.actor_kind)
    shown = audit_pb2.AuditEntry(
        seq=entry.seq,
        id=str(entry.id),
        actor_kind=entry.actor_kind,
        actor_id=ids.show(prefix, entry.actor_id) if prefix and entry.actor_id else "",
        on_behalf_of=ids.show("usr", entry.on_behalf_of) if entry.on_behalf_of else "",
        action=entry.action,
        target=entry.target,
        address=entry.address,
        request_id=entry.request_id,
        before=_json(entry.before),
        after=_json(entry.after),
    )
    shown.at.FromDatetime(entry.at)
    return shown


def _json(values: Values | None) -> str:
    return "" if values is None else json.dumps(values, sort_keys=True, ensure_ascii=False)
