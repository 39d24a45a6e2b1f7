"""SCIM for the gateway, which carries requests and answers as they are. Decides nothing."""

from typing import Any, TypeAlias

import grpc
from pydantic import ValidationError
from scim2_models import Error, SCIMException

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.servicer.scim.models import PROVIDER
from auth.servicer.scim.protocol import Answer, Protocol, Request
from auth.usecases.scim_tokens import connection_of
from comptoir.auth.v1 import scim_pb2, scim_pb2_grpc

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class ScimServicer(scim_pb2_grpc.ScimServiceServicer):
    """Answers the providers of connections."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def HandleScim(
        self, request: scim_pb2.HandleScimRequest, _context: _Context
    ) -> scim_pb2.HandleScimResponse:
        """Answers one request, refusals in SCIM's own form among the answers."""
        connection = await connection_of(self._app, request.token)
        by = Author(
            ActorKind.CONNECTION, connection.id, address=request.address, request_id=request.request_id
        )
        asked = Request(
            request.method,
            tuple(request.segments),
            request.query,
            request.if_match,
            request.if_none_match,
            request.body,
        )
        try:
            with PROVIDER:
                answer = await Protocol(self._app, connection, by).answer(asked)
        except SCIMException as refusal:
            answer = _refused(refusal.to_error())
        except ValidationError as refusal:
            answer = _refused(Error.from_validation_errors(refusal)[0])
        return scim_pb2.HandleScimResponse(
            status=answer.status, body=answer.body.encode(), etag=answer.etag, location=answer.location
        )


def _refused(error: Error) -> Answer:
    return Answer(error.status or 400, error.model_dump_json())
