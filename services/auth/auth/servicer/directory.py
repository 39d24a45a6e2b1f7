"""What other services and the gateway ask: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.accounts import RegistrationNotFound
from auth.usecases import organizations, registration
from comptoir.auth.v1 import account_pb2, account_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


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

    async def GetPlan(
        self, _request: account_pb2.GetPlanRequest, _context: _Context
    ) -> account_pb2.GetPlanResponse:
        """What the plan allows."""
        plan = await organizations.plan_of(self._app, identity.caller().tenant)
        return account_pb2.GetPlanResponse(venues=plan.venues)
