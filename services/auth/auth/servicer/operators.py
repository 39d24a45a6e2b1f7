"""Operators of the platform, how they log in, and their sessions: messages to use cases and back."""

from contextlib import suppress
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from auth.app import App
from auth.domain.challenges import GivenFactor
from auth.domain.operators import Operator, OperatorNotFound, OperatorRole
from auth.domain.sessions import EndReason, Session, SessionNotFound, SessionTokens
from auth.servicer.callers import author, operator
from auth.usecases import operator_log_in, operator_sessions, operators
from comptoir.auth.v1 import operator_pb2, operator_pb2_grpc
from servicekit import identity, ids, paging

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class OperatorLogInServicer(operator_pb2_grpc.OperatorLogInServiceServicer):
    """How operators prove who they are."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def LogInOperator(
        self, request: operator_pb2.LogInOperatorRequest, _context: _Context
    ) -> operator_pb2.LogInOperatorResponse:
        """Takes the password."""
        challenge, seconds = await operator_log_in.log_in_operator(
            self._app, request.email, request.password, by=author()
        )
        return operator_pb2.LogInOperatorResponse(challenge=challenge, expires_in=seconds)

    async def AnswerOperatorChallenge(
        self, request: operator_pb2.AnswerOperatorChallengeRequest, _context: _Context
    ) -> operator_pb2.AnswerOperatorChallengeResponse:
        """Takes the second factor, and opens the session."""
        given = GivenFactor.one_of(code=request.code, recovery_code=request.recovery_code, passkey="")
        tokens = await operator_log_in.answer_operator_challenge(
            self._app, request.challenge, given, by=author(), user_agent=identity.origin().user_agent
        )
        return operator_pb2.AnswerOperatorChallengeResponse(tokens=_tokens(tokens))

    async def RefreshOperatorSession(
        self, request: operator_pb2.RefreshOperatorSessionRequest, _context: _Context
    ) -> operator_pb2.RefreshOperatorSessionResponse:
        """Goes on with a session."""
        tokens = await operator_sessions.refresh_operator_session(
            self._app, request.refresh_token, by=author()
        )
        return operator_pb2.RefreshOperatorSessionResponse(tokens=_tokens(tokens))

    async def BeginOperatorEnrolment(
        self, request: operator_pb2.BeginOperatorEnrolmentRequest, _context: _Context
    ) -> operator_pb2.BeginOperatorEnrolmentResponse:
        """Makes a secret for the authenticator app."""
        enrolment = await operators.begin_enrolment(self._app, request.token)
        return operator_pb2.BeginOperatorEnrolmentResponse(secret=enrolment.secret, uri=enrolment.uri)

    async def FinishOperatorEnrolment(
        self, request: operator_pb2.FinishOperatorEnrolmentRequest, _context: _Context
    ) -> operator_pb2.FinishOperatorEnrolmentResponse:
        """Has password and app count."""
        codes = await operators.finish_enrolment(
            self._app, request.token, password=request.password, code=request.code, by=author()
        )
        return operator_pb2.FinishOperatorEnrolmentResponse(recovery_codes=codes)


class OperatorSessionServicer(operator_pb2_grpc.OperatorSessionServiceServicer):
    """An operator's own account and sessions."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetOperator(
        self, _request: operator_pb2.GetOperatorRequest, _context: _Context
    ) -> operator_pb2.GetOperatorResponse:
        """Tells the caller who they are."""
        operator_id, _ = operator()
        found, left = await operators.get_operator(self._app, operator_id)
        allowed = sorted(found.grant.permissions)
        return operator_pb2.GetOperatorResponse(
            operator=_shown(found), permissions=allowed, recovery_codes_left=left
        )

    async def ListOperatorSessions(
        self, request: operator_pb2.ListOperatorSessionsRequest, _context: _Context
    ) -> operator_pb2.ListOperatorSessionsResponse:
        """Lists the caller's sessions."""
        operator_id, current = operator()
        scope = ("operator sessions", str(operator_id))
        page = paging.page(request.page_size, request.page_token, *scope, keys=1)
        found, token = await operator_sessions.list_operator_sessions(self._app, operator_id, page)
        return operator_pb2.ListOperatorSessionsResponse(
            items=[_shown_session(each, current) for each in found], next_page_token=token
        )

    async def EndOperatorSession(
        self, request: operator_pb2.EndOperatorSessionRequest, _context: _Context
    ) -> operator_pb2.EndOperatorSessionResponse:
        """Ends one of them."""
        operator_id, _ = operator()
        session_id = ids.parse("ops", request.session_id, SessionNotFound)
        await operator_sessions.end_operator_session(
            self._app, operator_id, session_id, reason=EndReason.REVOKED, by=author()
        )
        return operator_pb2.EndOperatorSessionResponse()

    async def LogOutOperator(
        self, _request: operator_pb2.LogOutOperatorRequest, _context: _Context
    ) -> operator_pb2.LogOutOperatorResponse:
        """Ends the one that asks."""
        operator_id, session_id = operator()
        with suppress(SessionNotFound):
            await operator_sessions.end_operator_session(
                self._app, operator_id, session_id, reason=EndReason.LOGGED_OUT, by=author()
            )
        return operator_pb2.LogOutOperatorResponse()

    async def ReauthenticateOperator(
        self, request: operator_pb2.ReauthenticateOperatorRequest, _context: _Context
    ) -> operator_pb2.ReauthenticateOperatorResponse:
        """Takes the credentials anew."""
        operator_id, session_id = operator()
        tokens = await operator_log_in.reauthenticate_operator(
            self._app, operator_id, session_id, password=request.password, code=request.code, by=author()
        )
        return operator_pb2.ReauthenticateOperatorResponse(tokens=_tokens(tokens))

    async def ChangeOperatorPassword(
        self, request: operator_pb2.ChangeOperatorPasswordRequest, _context: _Context
    ) -> operator_pb2.ChangeOperatorPasswordResponse:
        """Sets another password."""
        operator_id, session_id = operator()
        await operator_log_in.change_operator_password(
            self._app,
            operator_id,
            session_id,
            old=request.old_password,
            new=request.new_password,
            by=author(),
        )
        return operator_pb2.ChangeOperatorPasswordResponse()

    async def RenewOperatorRecoveryCodes(
        self, _request: operator_pb2.RenewOperatorRecoveryCodesRequest, _context: _Context
    ) -> operator_pb2.RenewOperatorRecoveryCodesResponse:
        """Makes ten new codes."""
        operator_id, _ = operator()
        codes = await operators.renew_operator_codes(self._app, operator_id, by=author())
        return operator_pb2.RenewOperatorRecoveryCodesResponse(recovery_codes=codes)


class OperatorServicer(operator_pb2_grpc.OperatorServiceServicer):
    """The operators of the platform."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListOperators(
        self, request: operator_pb2.ListOperatorsRequest, _context: _Context
    ) -> operator_pb2.ListOperatorsResponse:
        """Lists them all."""
        page = paging.page(request.page_size, request.page_token, "operators", keys=1)
        found, token = await operators.list_operators(self._app, page)
        return operator_pb2.ListOperatorsResponse(
            items=[_shown(each) for each in found], next_page_token=token
        )

    async def AddOperator(
        self, request: operator_pb2.AddOperatorRequest, _context: _Context
    ) -> operator_pb2.AddOperatorResponse:
        """Makes one."""
        made, token = await operators.add_operator(
            self._app,
            email=request.email,
            display_name=request.display_name,
            role=OperatorRole(request.role),
            by=author(),
        )
        return operator_pb2.AddOperatorResponse(operator=_shown(made), enrolment_token=token)

    async def ReenrolOperator(
        self, request: operator_pb2.ReenrolOperatorRequest, _context: _Context
    ) -> operator_pb2.ReenrolOperatorResponse:
        """Has one enrol anew."""
        token = await operators.reenrol_operator(self._app, _id(request.operator_id), by=author())
        return operator_pb2.ReenrolOperatorResponse(enrolment_token=token)

    async def DisableOperator(
        self, request: operator_pb2.DisableOperatorRequest, _context: _Context
    ) -> operator_pb2.DisableOperatorResponse:
        """Ends one's account."""
        await operators.disable_operator(self._app, _id(request.operator_id), by=author())
        return operator_pb2.DisableOperatorResponse()


def _id(text: str) -> UUID:
    return ids.parse("opr", text, OperatorNotFound)


def _tokens(tokens: SessionTokens) -> operator_pb2.OperatorTokens:
    return operator_pb2.OperatorTokens(
        access_token=tokens.access_token,
        token_type="Bearer",  # noqa: S106
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
    )


def _shown(found: Operator) -> operator_pb2.Operator:
    shown = operator_pb2.Operator(
        id=ids.show("opr", found.id),
        email=found.email,
        display_name=found.display_name,
        role=found.role.value,
    )
    shown.created_at.FromDatetime(found.created_at)
    if found.enrolled_at is not None:
        shown.enrolled_at.FromDatetime(found.enrolled_at)
    if found.disabled_at is not None:
        shown.disabled_at.FromDatetime(found.disabled_at)
    return shown


def _shown_session(session: Session, current: UUID) -> operator_pb2.OperatorSession:
    shown = operator_pb2.OperatorSession(
        id=ids.show("ops", session.id),
        device=session.device,
        address=session.address,
        methods=session.methods,
        current=session.id == current,
    )
    shown.created_at.FromDatetime(session.created_at)
    shown.last_used_at.FromDatetime(session.last_used_at)
    shown.expires_at.FromDatetime(session.expires_at)
    return shown
