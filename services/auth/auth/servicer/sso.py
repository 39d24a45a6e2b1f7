"""Log-in at providers: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.servicer.callers import author
from auth.servicer.tokens import shown_log_in
from auth.usecases import sso, sso_arrivals
from comptoir.auth.v1 import sso_pb2, sso_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class SsoServicer(sso_pb2_grpc.SsoServiceServicer):
    """The ends of a log-in that an application sees."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def FindSso(self, request: sso_pb2.FindSsoRequest, _context: _Context) -> sso_pb2.FindSsoResponse:
        """Tells the ways in."""
        social, connection_id = await sso.find_sso(self._app, request.email)
        shown = ids.show("con", connection_id) if connection_id else ""
        return sso_pb2.FindSsoResponse(social=social, connection_id=shown)

    async def TradeSsoCode(
        self, request: sso_pb2.TradeSsoCodeRequest, _context: _Context
    ) -> sso_pb2.TradeSsoCodeResponse:
        """Opens a session, or asks for the second factor."""
        answer = await sso_arrivals.trade_code(
            self._app,
            request.code,
            request.verifier,
            device_token=request.device_token,
            by=author(),
            user_agent=identity.origin().user_agent,
        )
        shown = shown_log_in(answer)
        if shown.HasField("tokens"):
            return sso_pb2.TradeSsoCodeResponse(tokens=shown.tokens)
        return sso_pb2.TradeSsoCodeResponse(challenge=shown.challenge)


class SsoRedirectServicer(sso_pb2_grpc.SsoRedirectServiceServicer):
    """A browser's way to a provider and back, for the gateway."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def BeginSso(
        self, request: sso_pb2.BeginSsoRequest, _context: _Context
    ) -> sso_pb2.BeginSsoResponse:
        """Sends it away."""
        location = await sso.begin_sso(
            self._app,
            request.connection,
            return_to=request.return_to,
            challenge=request.challenge,
            browser=request.browser,
        )
        return sso_pb2.BeginSsoResponse(location=location)

    async def FinishSso(
        self, request: sso_pb2.FinishSsoRequest, _context: _Context
    ) -> sso_pb2.FinishSsoResponse:
        """Takes it back."""
        location = await sso.finish_sso(
            self._app,
            request.connection,
            state=request.state,
            code=request.code,
            issuer=request.issuer,
            error=request.error,
            browser=request.browser,
        )
        return sso_pb2.FinishSsoResponse(location=location)
