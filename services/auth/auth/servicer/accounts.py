"""Registering, logging in and who one is: messages to use cases and back."""

from contextlib import suppress
from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.sessions import EndReason, SessionNotFound
from auth.servicer.callers import author, person
from auth.servicer.tokens import shown_log_in, shown_tokens
from auth.usecases import own_sessions, registration, sessions
from comptoir.auth.v1 import account_pb2, account_pb2_grpc
from servicekit import identity, ids
from servicekit.errors import Unauthenticated

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class AccountServicer(account_pb2_grpc.AccountServiceServicer):
    """People and how they prove who they are."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def Register(
        self, request: account_pb2.RegisterRequest, _context: _Context
    ) -> account_pb2.RegisterResponse:
        """Takes a registration in."""
        await registration.register(
            self._app,
            email=request.email,
            password=request.password,
            display_name=request.display_name,
            organization_name=request.organization_name,
            language=request.language,
        )
        return account_pb2.RegisterResponse()

    async def VerifyEmail(
        self, request: account_pb2.VerifyEmailRequest, _context: _Context
    ) -> account_pb2.VerifyEmailResponse:
        """Follows a link."""
        organization_id = await registration.verify_email(self._app, request.token, by=author())
        return account_pb2.VerifyEmailResponse(organization_id=ids.show("org", organization_id))

    async def ResendVerification(
        self, request: account_pb2.ResendVerificationRequest, _context: _Context
    ) -> account_pb2.ResendVerificationResponse:
        """Asks for another mail."""
        await registration.resend_verification(self._app, request.email)
        return account_pb2.ResendVerificationResponse()

    async def LogIn(self, request: account_pb2.LogInRequest, _context: _Context) -> account_pb2.LogInResponse:
        """Opens a session, or asks for the second factor."""
        answer = await sessions.log_in(
            self._app,
            request.email,
            request.password,
            by=author(),
            user_agent=identity.origin().user_agent,
            device_token=request.device_token,
        )
        return shown_log_in(answer)

    async def RefreshSession(
        self, request: account_pb2.RefreshSessionRequest, _context: _Context
    ) -> account_pb2.RefreshSessionResponse:
        """Goes on with a session."""
        tokens = await sessions.refresh_session(self._app, request.refresh_token, by=author())
        return account_pb2.RefreshSessionResponse(tokens=shown_tokens(tokens))

    async def LogOut(
        self, _request: account_pb2.LogOutRequest, _context: _Context
    ) -> account_pb2.LogOutResponse:
        """Ends the caller's session."""
        user_id, session_id = person()
        with suppress(SessionNotFound):  # its membership has ended, and the session with it
            await own_sessions.end_session(
                self._app, user_id, session_id, reason=EndReason.LOGGED_OUT, by=author()
            )
        return account_pb2.LogOutResponse()

    async def GetMe(
        self, _request: account_pb2.GetMeRequest, _context: _Context
    ) -> account_pb2.GetMeResponse:
        """Tells the caller who they are."""
        caller = identity.caller()
        if caller.user is None:
            raise Unauthenticated
        profile = await sessions.get_profile(self._app, caller.tenant, caller.user)
        return account_pb2.GetMeResponse(
            user_id=ids.show("usr", profile.user_id),
            email=profile.email,
            display_name=profile.display_name,
            organization_id=ids.show("org", profile.organization_id),
            organization_name=profile.organization_name,
            role=profile.grant.role,
            permissions=sorted(profile.grant.permissions),
            venue_ids=[ids.show("ven", each) for each in sorted(profile.grant.venues)],
        )
