"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.accounts import RegistrationNotFound
from auth.domain.sessions import SessionTokens
from auth.usecases import registration, sessions
from comptoir.auth.v1 import account_pb2, account_pb2_grpc
from servicekit import identity, ids, permissions
from servicekit.errors import Unauthenticated
from servicekit.rpc.server import Registration

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
        organization_id = await registration.verify_email(self._app, request.token)
        return account_pb2.VerifyEmailResponse(organization_id=ids.show("org", organization_id))

    async def ResendVerification(
        self, request: account_pb2.ResendVerificationRequest, _context: _Context
    ) -> account_pb2.ResendVerificationResponse:
        """Asks for another mail."""
        await registration.resend_verification(self._app, request.email)
        return account_pb2.ResendVerificationResponse()

    async def LogIn(self, request: account_pb2.LogInRequest, _context: _Context) -> account_pb2.LogInResponse:
        """Opens a session."""
        address = identity.caller().address
        tokens = await sessions.log_in(self._app, request.email, request.password, address=address)
        return account_pb2.LogInResponse(tokens=_tokens(tokens))

    async def RefreshSession(
        self, request: account_pb2.RefreshSessionRequest, _context: _Context
    ) -> account_pb2.RefreshSessionResponse:
        """Goes on with a session."""
        tokens = await sessions.refresh_session(self._app, request.refresh_token)
        return account_pb2.RefreshSessionResponse(tokens=_tokens(tokens))

    async def LogOut(
        self, _request: account_pb2.LogOutRequest, _context: _Context
    ) -> account_pb2.LogOutResponse:
        """Ends the caller's session."""
        caller = identity.caller()
        if caller.user is None or caller.session is None:
            raise Unauthenticated
        await sessions.log_out(self._app, caller.tenant, caller.user, caller.session)
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
            role=profile.role,
            permissions=sorted(permissions.of_role(profile.role)),
        )


class AccountDirectoryServicer(account_pb2_grpc.AccountDirectoryServiceServicer):
    """What other services and the gateway ask."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetSigningKeys(
        self, _request: account_pb2.GetSigningKeysRequest, _context: _Context
    ) -> account_pb2.GetSigningKeysResponse:
        """The public keys."""
        return account_pb2.GetSigningKeysResponse(jwks_json=self._app.keyring.public_set())

    async def IssueVerification(
        self, request: account_pb2.IssueVerificationRequest, _context: _Context
    ) -> account_pb2.IssueVerificationResponse:
        """What a verification mail needs; empty when there is nothing to send."""
        registration_id = ids.parse("usr", request.user_id, RegistrationNotFound)
        mail = await registration.issue_verification(self._app, registration_id)
        if mail is None:
            return account_pb2.IssueVerificationResponse()
        return account_pb2.IssueVerificationResponse(
            email=mail.email, display_name=mail.display_name, language=mail.language, token=mail.token
        )


def servicers(app: App) -> Sequence[Registration]:
    """Both services, ready to be added to a server."""
    return [
        lambda server: account_pb2_grpc.add_AccountServiceServicer_to_server(AccountServicer(app), server),
        lambda server: account_pb2_grpc.add_AccountDirectoryServiceServicer_to_server(
            AccountDirectoryServicer(app), server
        ),
    ]


def _tokens(tokens: SessionTokens) -> account_pb2.SessionTokens:
    return account_pb2.SessionTokens(
        access_token=tokens.access_token,
        token_type="Bearer",  # noqa: S106
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
    )
