"""Requests about persons: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc
from google.api import httpbody_pb2

from auth.app import App
from auth.domain.privacy import (
    PrivacyRequest,
    PrivacyRequestNotFound,
    Receipt,
    RequestKind,
    RequestStatus,
    Subject,
)
from auth.servicer.callers import author, person
from auth.servicer.organizations import own
from auth.usecases import privacy, privacy_wishes
from comptoir.auth.v1 import privacy_pb2 as pb
from comptoir.auth.v1 import privacy_pb2_grpc as rpc
from servicekit import idempotency, identity, ids, paging
from servicekit.privacy import erased

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_KINDS = {
    RequestKind.EXPORT: pb.PRIVACY_REQUEST_KIND_EXPORT,
    RequestKind.ERASE: pb.PRIVACY_REQUEST_KIND_ERASE,
}
_WISHES = {value: kind for kind, value in _KINDS.items()}
_STATUSES = {
    RequestStatus.RUNNING: pb.PRIVACY_REQUEST_STATUS_RUNNING,
    RequestStatus.COMPLETED: pb.PRIVACY_REQUEST_STATUS_COMPLETED,
    RequestStatus.EXPIRED: pb.PRIVACY_REQUEST_STATUS_EXPIRED,
}
_ZIP = "application/zip"


class PrivacyServicer(rpc.PrivacyServiceServicer):
    """Requests about guests."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListNamesOfNumber(
        self, request: pb.ListNamesOfNumberRequest, _context: _Context
    ) -> pb.ListNamesOfNumberResponse:
        """As booking says them. Nothing of it is kept."""
        found = await privacy_wishes.names_of_number(
            self._app, own(request.organization_id), request.phone, by=author()
        )
        return pb.ListNamesOfNumberResponse(
            items=[pb.NameOfNumber(name=name, bookings=count) for name, count in found]
        )

    async def CreatePrivacyRequest(
        self, request: pb.CreatePrivacyRequestRequest, _context: _Context
    ) -> pb.CreatePrivacyRequestResponse:
        """Takes one in."""
        user_id, _ = person()
        made = await privacy_wishes.create_request(
            self._app,
            own(request.organization_id),
            user_id,
            _WISHES[request.kind],
            Subject.of(request.email, request.phone, request.name),
            key=idempotency.key(),
            by=author(),
        )
        return pb.CreatePrivacyRequestResponse(request=_shown(made))

    async def ListPrivacyRequests(
        self, request: pb.ListPrivacyRequestsRequest, _context: _Context
    ) -> pb.ListPrivacyRequestsResponse:
        """A page of them."""
        organization_id = own(request.organization_id)
        page = paging.page(request.page_size, request.page_token, "privacy requests", keys=1)
        found, token = await privacy_wishes.list_requests(self._app, organization_id, page)
        return pb.ListPrivacyRequestsResponse(items=map(_shown, found), next_page_token=token)

    async def GetPrivacyRequest(
        self, request: pb.GetPrivacyRequestRequest, _context: _Context
    ) -> pb.GetPrivacyRequestResponse:
        """One."""
        organization_id = own(request.organization_id)
        request_id = ids.parse("prq", request.request_id, PrivacyRequestNotFound)
        found = await privacy_wishes.get_request(self._app, organization_id, request_id)
        return pb.GetPrivacyRequestResponse(request=_shown(found))

    async def DownloadExport(
        self, request: pb.DownloadExportRequest, _context: _Context
    ) -> httpbody_pb2.HttpBody:
        """What was gathered."""
        organization_id = own(request.organization_id)
        request_id = ids.parse("prq", request.request_id, PrivacyRequestNotFound)
        archive = await privacy_wishes.download(
            self._app, request_id, organization=organization_id, user_id=None, by=author()
        )
        return httpbody_pb2.HttpBody(content_type=_ZIP, data=archive)


class MyDataServicer(rpc.MyDataServiceServicer):
    """What people ask about their own account."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ExportMyData(
        self, _request: pb.ExportMyDataRequest, _context: _Context
    ) -> pb.ExportMyDataResponse:
        """Begins."""
        user_id, _ = person()
        made = await privacy_wishes.export_account(self._app, user_id, by=author())
        return pb.ExportMyDataResponse(request=_shown(made))

    async def ListMyDataExports(
        self, request: pb.ListMyDataExportsRequest, _context: _Context
    ) -> pb.ListMyDataExportsResponse:
        """A page of them."""
        user_id, _ = person()
        page = paging.page(request.page_size, request.page_token, "data exports", str(user_id), keys=1)
        found, token = await privacy_wishes.list_own_exports(self._app, user_id, page)
        return pb.ListMyDataExportsResponse(items=map(_shown, found), next_page_token=token)

    async def DownloadMyData(
        self, request: pb.DownloadMyDataRequest, _context: _Context
    ) -> httpbody_pb2.HttpBody:
        """What was gathered."""
        user_id, _ = person()
        request_id = ids.parse("prq", request.export_id, PrivacyRequestNotFound)
        archive = await privacy_wishes.download(
            self._app, request_id, organization=None, user_id=user_id, by=author()
        )
        return httpbody_pb2.HttpBody(content_type=_ZIP, data=archive)


class PrivacyDirectoryServicer(rpc.PrivacyDirectoryServiceServicer):
    """What services ask that have a part in a request."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetPrivacySubject(
        self, request: pb.GetPrivacySubjectRequest, _context: _Context
    ) -> pb.GetPrivacySubjectResponse:
        """Whom it is about."""
        request_id = ids.parse("prq", request.request_id, PrivacyRequestNotFound)
        subject = await privacy.find_subject(self._app, identity.caller().tenant, request_id)
        if subject is None:
            return pb.GetPrivacySubjectResponse()
        return pb.GetPrivacySubjectResponse(email=subject.email, phone=subject.phone, name=subject.name)

    async def PutExportPart(
        self, request: pb.PutExportPartRequest, _context: _Context
    ) -> pb.PutExportPartResponse:
        """Takes it in."""
        caller = identity.caller()
        request_id = ids.parse("prq", request.request_id, PrivacyRequestNotFound)
        await privacy.take_part(self._app, caller.organization, request_id, caller.issuer, request.document)
        return pb.PutExportPartResponse()


def _shown(request: PrivacyRequest) -> pb.PrivacyRequest:
    shown = pb.PrivacyRequest(
        id=ids.show("prq", request.id),
        kind=_KINDS[request.kind],
        status=_STATUSES[request.status],
        requested_by=ids.show("usr", request.requested_by),
        overdue=request.overdue_at is not None and request.runs,
        receipts=map(_receipt, request.receipts),
        waiting_for=request.waiting_for,
    )
    shown.created_at.FromDatetime(request.created_at)
    shown.due_at.FromDatetime(request.due_at)
    if request.completed_at is not None:
        shown.completed_at.FromDatetime(request.completed_at)
    if request.kept_until is not None:
        shown.kept_until.FromDatetime(request.kept_until)
    return shown


def _receipt(receipt: Receipt) -> pb.PrivacyReceipt:
    shown = pb.PrivacyReceipt(service=receipt.service, erased=erased(receipt.rows))
    shown.received_at.FromDatetime(receipt.received_at)
    return shown
