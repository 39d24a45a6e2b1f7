"""The caller's sessions, and what was revoked: messages to use cases and back."""

from datetime import UTC
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from auth.app import App
from auth.domain.challenges import GivenFactor
from auth.domain.sessions import EndReason, Session, SessionNotFound
from auth.servicer.callers import author, person, reach
from auth.servicer.tokens import shown_tokens
from auth.usecases import own_sessions
from comptoir.auth.v1 import session_pb2, session_pb2_grpc
from servicekit import ids, paging

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class SessionServicer(session_pb2_grpc.SessionServiceServicer):
    """Where a person is logged in."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListSessions(
        self, request: session_pb2.ListSessionsRequest, _context: _Context
    ) -> session_pb2.ListSessionsResponse:
        """Lists the caller's sessions."""
        user_id, current = person()
        page = paging.page(request.page_size, request.page_token, "sessions", str(user_id), keys=1)
        found, token = await own_sessions.list_sessions(self._app, user_id, page, within=reach())
        return session_pb2.ListSessionsResponse(
            items=[_shown(each, current) for each in found], next_page_token=token
        )

    async def RevokeSession(
        self, request: session_pb2.RevokeSessionRequest, _context: _Context
    ) -> session_pb2.RevokeSessionResponse:
        """Ends one of them."""
        user_id, _ = person()
        session_id = ids.parse("ses", request.session_id, SessionNotFound)
        await own_sessions.end_session(
            self._app, user_id, session_id, reason=EndReason.REVOKED, by=author(), within=reach()
        )
        return session_pb2.RevokeSessionResponse()

    async def LogOutEverywhere(
        self, request: session_pb2.LogOutEverywhereRequest, _context: _Context
    ) -> session_pb2.LogOutEverywhereResponse:
        """Ends all of them."""
        user_id, current = person()
        keep = current if request.keep_current else None
        ended = await own_sessions.log_out_everywhere(self._app, user_id, keep=keep, by=author())
        return session_pb2.LogOutEverywhereResponse(ended=ended)

    async def Reauthenticate(
        self, request: session_pb2.ReauthenticateRequest, _context: _Context
    ) -> session_pb2.ReauthenticateResponse:
        """Takes the credentials anew."""
        user_id, current = person()
        factor = GivenFactor.one_of(
            code=request.code, recovery_code=request.recovery_code, passkey=request.passkey
        )
        tokens = await own_sessions.reauthenticate(
            self._app, user_id, current, password=request.password, factor=factor, by=author()
        )
        return session_pb2.ReauthenticateResponse(tokens=shown_tokens(tokens))


class SessionDirectoryServicer(session_pb2_grpc.SessionDirectoryServiceServicer):
    """What the gateway asks about sessions."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListRevocations(
        self, request: session_pb2.ListRevocationsRequest, _context: _Context
    ) -> session_pb2.ListRevocationsResponse:
        """What was revoked lately."""
        since = request.since.ToDatetime(UTC) if request.HasField("since") else None
        found, as_of = await own_sessions.list_revocations(self._app, since)
        answer = session_pb2.ListRevocationsResponse(ids=[each.bytes for each in found])
        answer.as_of.FromDatetime(as_of)
        return answer


def _shown(session: Session, current: UUID) -> session_pb2.Session:
    shown = session_pb2.Session(
        id=ids.show("ses", session.id),
        organization_id=ids.show("org", session.organization_id),
        device=session.device,
        address=session.address,
        methods=session.methods,
        current=session.id == current,
    )
    shown.created_at.FromDatetime(session.created_at)
    shown.last_used_at.FromDatetime(session.last_used_at)
    shown.authenticated_at.FromDatetime(session.authenticated_at)
    return shown
