"""Operators' access to organizations, for both sides: messages to use cases and back."""

from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from auth.app import App
from auth.domain.members import OrganizationNotFound
from auth.domain.operator_access import (
    FoundOrganization,
    OperatorAccess,
    OperatorAccessNotFound,
    OperatorAct,
    Wish,
)
from auth.servicer.callers import author, operator
from auth.usecases import operator_access, operator_acts
from comptoir.auth.v1 import operator_access_pb2, operator_access_pb2_grpc
from servicekit import identity, ids, paging

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class OperatorAccessServicer(operator_access_pb2_grpc.OperatorAccessServiceServicer):
    """What operators do about organizations."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def SearchOrganizations(
        self, request: operator_access_pb2.SearchOrganizationsRequest, _context: _Context
    ) -> operator_access_pb2.SearchOrganizationsResponse:
        """Finds organizations."""
        page = paging.page(
            request.page_size, request.page_token, "found organizations", request.query, keys=1
        )
        found, token = await operator_access.search_organizations(self._app, request.query, page)
        return operator_access_pb2.SearchOrganizationsResponse(
            items=[_summary(each) for each in found], next_page_token=token
        )

    async def BeginOperatorAccess(
        self, request: operator_access_pb2.BeginOperatorAccessRequest, _context: _Context
    ) -> operator_access_pb2.BeginOperatorAccessResponse:
        """Begins access."""
        operator_id, session_id = operator()
        wish = Wish(
            reason=request.reason.strip(),
            ticket=request.ticket.strip(),
            length=timedelta(minutes=request.minutes),
            write=request.write,
        )
        organization_id = ids.parse("org", request.organization_id, OrganizationNotFound)
        access, token, seconds = await operator_access.begin_access(
            self._app, operator_id, session_id, organization_id, wish, by=author()
        )
        return operator_access_pb2.BeginOperatorAccessResponse(
            access=_shown(access), token=_token(token, seconds)
        )

    async def RenewOperatorAccess(
        self, request: operator_access_pb2.RenewOperatorAccessRequest, _context: _Context
    ) -> operator_access_pb2.RenewOperatorAccessResponse:
        """Another token."""
        operator_id, _ = operator()
        token, seconds = await operator_access.renew_access(self._app, operator_id, _id(request.access_id))
        return operator_access_pb2.RenewOperatorAccessResponse(token=_token(token, seconds))

    async def EndOwnOperatorAccess(
        self, request: operator_access_pb2.EndOwnOperatorAccessRequest, _context: _Context
    ) -> operator_access_pb2.EndOwnOperatorAccessResponse:
        """Ends the caller's own."""
        operator_id, _ = operator()
        await operator_access.end_own_access(self._app, operator_id, _id(request.access_id), by=author())
        return operator_access_pb2.EndOwnOperatorAccessResponse()

    async def ListAllOperatorAccess(
        self, request: operator_access_pb2.ListAllOperatorAccessRequest, _context: _Context
    ) -> operator_access_pb2.ListAllOperatorAccessResponse:
        """Lists all there ever was."""
        text = request.organization_id
        organization_id = ids.parse("org", text, OrganizationNotFound) if text else None
        page = paging.page(request.page_size, request.page_token, "all operator access", text, keys=1)
        found, token = await operator_access.list_all_access(self._app, organization_id, page)
        return operator_access_pb2.ListAllOperatorAccessResponse(
            items=[_shown(each) for each in found], next_page_token=token
        )


class OperatorVisitServicer(operator_access_pb2_grpc.OperatorVisitServiceServicer):
    """What an organization sees of the operators who had access to it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListOperatorAccess(
        self, request: operator_access_pb2.ListOperatorAccessRequest, _context: _Context
    ) -> operator_access_pb2.ListOperatorAccessResponse:
        """Lists all there ever was to the caller's."""
        tenant = identity.caller().tenant
        page = paging.page(request.page_size, request.page_token, "operator access", str(tenant), keys=1)
        found, token = await operator_access.list_access_to(self._app, tenant, page)
        return operator_access_pb2.ListOperatorAccessResponse(
            items=[_shown(each) for each in found], next_page_token=token
        )

    async def EndOperatorAccess(
        self, request: operator_access_pb2.EndOperatorAccessRequest, _context: _Context
    ) -> operator_access_pb2.EndOperatorAccessResponse:
        """Ends one."""
        await operator_access.end_access_to(
            self._app, identity.caller().tenant, _id(request.access_id), by=author()
        )
        return operator_access_pb2.EndOperatorAccessResponse()


class OperatorDirectoryServicer(operator_access_pb2_grpc.OperatorDirectoryServiceServicer):
    """What the gateway tells of operators in organizations."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def RecordOperatorAct(
        self, request: operator_access_pb2.RecordOperatorActRequest, _context: _Context
    ) -> operator_access_pb2.RecordOperatorActResponse:
        """Writes down what an operator is about to do."""
        act = OperatorAct(
            id=UUID(bytes=request.act_id),
            operator_id=UUID(bytes=request.operator_id),
            access_id=UUID(bytes=request.access_id),
            call=request.call,
            touched=tuple(request.touched),
            address=request.address,
            request_id=request.request_id,
        )
        await operator_acts.record_act(self._app, identity.caller().tenant, act)
        return operator_access_pb2.RecordOperatorActResponse()


def _id(text: str) -> UUID:
    return ids.parse("acc", text, OperatorAccessNotFound)


def _token(token: str, seconds: int) -> operator_access_pb2.OperatorAccessToken:
    return operator_access_pb2.OperatorAccessToken(
        access_token=token,
        token_type="Bearer",  # noqa: S106
        expires_in=seconds,
    )


def _summary(found: FoundOrganization) -> operator_access_pb2.OrganizationSummary:
    shown = operator_access_pb2.OrganizationSummary(
        id=ids.show("org", found.id), name=found.name, plan=found.plan
    )
    shown.created_at.FromDatetime(found.created_at)
    return shown


def _shown(access: OperatorAccess) -> operator_access_pb2.OperatorAccess:
    shown = operator_access_pb2.OperatorAccess(
        id=ids.show("acc", access.id),
        organization_id=ids.show("org", access.organization_id),
        operator_id=ids.show("opr", access.operator_id),
        operator_name=access.operator_name,
        reason=access.reason,
        ticket=access.ticket,
        write=access.write,
        end_reason=access.end_reason.value if access.end_reason else "",
    )
    shown.began_at.FromDatetime(access.began_at)
    shown.ends_at.FromDatetime(access.ends_at)
    if access.ended_at is not None:
        shown.ended_at.FromDatetime(access.ended_at)
    return shown
