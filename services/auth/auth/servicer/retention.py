"""How long an organization keeps what: messages to use cases and back."""

from dataclasses import asdict
from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.servicer.callers import author
from auth.servicer.organizations import own
from auth.usecases import retention
from comptoir.auth.v1 import retention_pb2, retention_pb2_grpc
from servicekit.retention import Periods, Retention

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RetentionServicer(retention_pb2_grpc.RetentionServiceServicer):
    """How long an organization keeps what."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetRetention(
        self, request: retention_pb2.GetRetentionRequest, _context: _Context
    ) -> retention_pb2.GetRetentionResponse:
        """Reads it."""
        found = await retention.get_retention(self._app, own(request.organization_id))
        return retention_pb2.GetRetentionResponse(retention=_shown(found))

    async def UpdateRetention(
        self, request: retention_pb2.UpdateRetentionRequest, _context: _Context
    ) -> retention_pb2.UpdateRetentionResponse:
        """Replaces it."""
        periods = Periods(
            guest_days=request.guest_days,
            wish_days=request.wish_days,
            ticket_days=request.ticket_days,
            mail_days=request.mail_days,
            delivery_days=request.delivery_days,
        )
        changed = await retention.update_retention(
            self._app,
            own(request.organization_id),
            periods,
            expected_version=request.expected_version,
            by=author(),
        )
        return retention_pb2.UpdateRetentionResponse(retention=_shown(changed))


def _shown(retention: Retention) -> retention_pb2.Retention:
    return retention_pb2.Retention(version=retention.version, **asdict(retention.periods))
