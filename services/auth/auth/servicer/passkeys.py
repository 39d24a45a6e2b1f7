"""Passkeys, and the second step of a log-in: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.challenges import GivenFactor
from auth.domain.passkeys import Passkey, PasskeyNotFound
from auth.servicer.callers import author, person
from auth.servicer.tokens import shown_tokens
from auth.usecases import passkeys, second_steps
from comptoir.auth.v1 import factor_pb2, factor_pb2_grpc
from servicekit import identity, ids, paging

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class PasskeyServicer(factor_pb2_grpc.PasskeyServiceServicer):
    """Passkeys and logging in with them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def BeginPasskey(
        self, _request: factor_pb2.BeginPasskeyRequest, _context: _Context
    ) -> factor_pb2.BeginPasskeyResponse:
        """Tells the browser what to make."""
        user_id, _ = person()
        options = await passkeys.begin_passkey(self._app, user_id, by=author())
        return factor_pb2.BeginPasskeyResponse(options=options)

    async def AddPasskey(
        self, request: factor_pb2.AddPasskeyRequest, _context: _Context
    ) -> factor_pb2.AddPasskeyResponse:
        """Keeps what the browser made."""
        user_id, _ = person()
        passkey, codes = await passkeys.add_passkey(
            self._app, user_id, name=request.name, credential=request.credential, by=author()
        )
        return factor_pb2.AddPasskeyResponse(passkey=_shown(passkey), recovery_codes=codes)

    async def ListPasskeys(
        self, request: factor_pb2.ListPasskeysRequest, _context: _Context
    ) -> factor_pb2.ListPasskeysResponse:
        """Lists the caller's passkeys."""
        user_id, _ = person()
        page = paging.page(request.page_size, request.page_token, "passkeys", str(user_id), keys=1)
        found, token = await passkeys.list_passkeys(self._app, user_id, page)
        return factor_pb2.ListPasskeysResponse(items=[_shown(each) for each in found], next_page_token=token)

    async def RenamePasskey(
        self, request: factor_pb2.RenamePasskeyRequest, _context: _Context
    ) -> factor_pb2.RenamePasskeyResponse:
        """Renames one."""
        user_id, _ = person()
        passkey_id = ids.parse("pky", request.passkey_id, PasskeyNotFound)
        renamed = await passkeys.rename_passkey(self._app, user_id, passkey_id, request.name)
        return factor_pb2.RenamePasskeyResponse(passkey=_shown(renamed))

    async def RemovePasskey(
        self, request: factor_pb2.RemovePasskeyRequest, _context: _Context
    ) -> factor_pb2.RemovePasskeyResponse:
        """Removes one."""
        user_id, _ = person()
        passkey_id = ids.parse("pky", request.passkey_id, PasskeyNotFound)
        await passkeys.remove_passkey(self._app, user_id, passkey_id, by=author())
        return factor_pb2.RemovePasskeyResponse()

    async def BeginPasskeyUse(
        self, _request: factor_pb2.BeginPasskeyUseRequest, _context: _Context
    ) -> factor_pb2.BeginPasskeyUseResponse:
        """Tells the browser what to sign."""
        return factor_pb2.BeginPasskeyUseResponse(options=await second_steps.begin_passkey_use(self._app))

    async def LogInWithPasskey(
        self, request: factor_pb2.LogInWithPasskeyRequest, _context: _Context
    ) -> factor_pb2.LogInWithPasskeyResponse:
        """Opens a session."""
        tokens = await second_steps.log_in_with_passkey(
            self._app, request.credential, by=author(), user_agent=identity.origin().user_agent
        )
        return factor_pb2.LogInWithPasskeyResponse(tokens=shown_tokens(tokens))


class ChallengeServicer(factor_pb2_grpc.ChallengeServiceServicer):
    """The second step of a log-in."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def AnswerChallenge(
        self, request: factor_pb2.AnswerChallengeRequest, _context: _Context
    ) -> factor_pb2.AnswerChallengeResponse:
        """Opens the session that waits."""
        given = GivenFactor.one_of(
            code=request.code, recovery_code=request.recovery_code, passkey=request.passkey
        )
        tokens, device_token = await second_steps.answer_challenge(
            self._app,
            request.challenge,
            given,
            remember_device=request.remember_device,
            by=author(),
            user_agent=identity.origin().user_agent,
        )
        return factor_pb2.AnswerChallengeResponse(tokens=shown_tokens(tokens), device_token=device_token)


def _shown(passkey: Passkey) -> factor_pb2.Passkey:
    shown = factor_pb2.Passkey(
        id=ids.show("pky", passkey.id),
        name=passkey.name,
        backed_up=passkey.backed_up,
        transports=passkey.transports,
    )
    shown.created_at.FromDatetime(passkey.created_at)
    if passkey.last_used_at is not None:
        shown.last_used_at.FromDatetime(passkey.last_used_at)
    return shown
