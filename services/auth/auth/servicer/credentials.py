"""Passwords, addresses and leaving, and the mails about them: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.account_mails import AccountMailNotFound
from auth.servicer.callers import author, person
from auth.usecases import account_mails, addresses, credentials, leaving
from comptoir.auth.v1 import credential_pb2, credential_pb2_grpc
from servicekit import ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class CredentialServicer(credential_pb2_grpc.CredentialServiceServicer):
    """What people do with the credentials of their account."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ChangePassword(
        self, request: credential_pb2.ChangePasswordRequest, _context: _Context
    ) -> credential_pb2.ChangePasswordResponse:
        """Changes the caller's password."""
        user_id, session_id = person()
        await credentials.change_password(
            self._app,
            user_id,
            session_id,
            old=request.old_password,
            new=request.new_password,
            by=author(),
        )
        return credential_pb2.ChangePasswordResponse()

    async def ForgotPassword(
        self, request: credential_pb2.ForgotPasswordRequest, _context: _Context
    ) -> credential_pb2.ForgotPasswordResponse:
        """Takes in the wish for a link."""
        await credentials.forget_password(self._app, request.email, by=author())
        return credential_pb2.ForgotPasswordResponse()

    async def ResetPassword(
        self, request: credential_pb2.ResetPasswordRequest, _context: _Context
    ) -> credential_pb2.ResetPasswordResponse:
        """Sets a password by a link."""
        await credentials.reset_password(self._app, request.token, new=request.new_password, by=author())
        return credential_pb2.ResetPasswordResponse()

    async def ChangeEmail(
        self, request: credential_pb2.ChangeEmailRequest, _context: _Context
    ) -> credential_pb2.ChangeEmailResponse:
        """Asks for a mail to another address."""
        user_id, _ = person()
        await addresses.ask_to_change_email(self._app, user_id, request.email, by=author())
        return credential_pb2.ChangeEmailResponse()

    async def ConfirmEmailChange(
        self, request: credential_pb2.ConfirmEmailChangeRequest, _context: _Context
    ) -> credential_pb2.ConfirmEmailChangeResponse:
        """Moves the account to the address of a link."""
        await addresses.confirm_email_change(self._app, request.token, by=author())
        return credential_pb2.ConfirmEmailChangeResponse()

    async def RevertEmailChange(
        self, request: credential_pb2.RevertEmailChangeRequest, _context: _Context
    ) -> credential_pb2.RevertEmailChangeResponse:
        """Moves it back."""
        await addresses.revert_email_change(self._app, request.token, by=author())
        return credential_pb2.RevertEmailChangeResponse()

    async def DeleteAccount(
        self, _request: credential_pb2.DeleteAccountRequest, _context: _Context
    ) -> credential_pb2.DeleteAccountResponse:
        """Deletes the caller's account."""
        user_id, _ = person()
        await leaving.delete_account(self._app, user_id, by=author())
        return credential_pb2.DeleteAccountResponse()


class AccountMailServicer(credential_pb2_grpc.AccountMailServiceServicer):
    """What notification asks about mails to people with accounts."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def IssueAccountMail(
        self, request: credential_pb2.IssueAccountMailRequest, _context: _Context
    ) -> credential_pb2.IssueAccountMailResponse:
        """What a mail needs; empty when there is nothing to send."""
        mail_id = ids.parse("aml", request.mail_id, AccountMailNotFound)
        mail = await account_mails.issue_account_mail(self._app, mail_id)
        if mail is None:
            return credential_pb2.IssueAccountMailResponse()
        answer = credential_pb2.IssueAccountMailResponse(
            email=mail.email,
            display_name=mail.display_name,
            language=mail.language,
            kind=mail.kind.value,
            token=mail.token,
            device=mail.device,
            address=mail.address,
        )
        answer.occurred_at.FromDatetime(mail.occurred_at)
        if mail.visit is not None:
            access = mail.visit.access
            answer.visit.CopyFrom(
                credential_pb2.OperatorVisit(
                    organization_name=mail.visit.organization_name,
                    operator_name=access.operator_name,
                    reason=access.reason,
                    ticket=access.ticket,
                    minutes=int(access.length.total_seconds()) // 60,
                    write=access.write,
                )
            )
        answer.organization_name = mail.organization_name
        if mail.domain:
            answer.domain.domain = mail.domain
            if mail.verified_until is not None:
                answer.domain.verified_until.FromDatetime(mail.verified_until)
        return answer
