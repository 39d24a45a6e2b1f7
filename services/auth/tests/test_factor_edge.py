"""Second factors at the edge, behind the real guard: messages, refusals and their status."""

import base64
import time
from dataclasses import replace
from typing import Any

import pytest

from auth.app import App
from auth.domain.totp import hotp
from auth.servicer import servicers
from comptoir.auth.v1 import account_pb2, session_pb2
from comptoir.auth.v1 import factor_pb2 as pb
from comptoir.auth.v1.account_pb2_grpc import AccountServiceStub
from comptoir.auth.v1.factor_pb2_grpc import ChallengeServiceStub, FactorServiceStub, PasskeyServiceStub
from comptoir.auth.v1.session_pb2_grpc import SessionServiceStub
from servicekit import ids
from servicekit.errors import AppError
from servicekit.identity import Caller
from testkit.authenticator import Authenticator
from testkit.callers import anonymous, member
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import BROWSER, PASSWORD, PLACE, People
from .holders import EMAIL, Holder

VISITOR = replace(anonymous(), address=PLACE)
FRESH = [
    (FactorServiceStub, "BeginTotp", pb.BeginTotpRequest()),
    (FactorServiceStub, "ConfirmTotp", pb.ConfirmTotpRequest(code="000000")),
    (FactorServiceStub, "RemoveTotp", pb.RemoveTotpRequest()),
    (FactorServiceStub, "RenewRecoveryCodes", pb.RenewRecoveryCodesRequest()),
    (PasskeyServiceStub, "BeginPasskey", pb.BeginPasskeyRequest()),
    (PasskeyServiceStub, "AddPasskey", pb.AddPasskeyRequest(name="Mine", credential="{}")),
    (PasskeyServiceStub, "RemovePasskey", pb.RemovePasskeyRequest(passkey_id="pky_x")),
    (FactorServiceStub, "UnlinkIdentity", pb.UnlinkIdentityRequest(identity_id="idn_x")),
]
OWN = [
    *FRESH,
    (FactorServiceStub, "GetFactors", pb.GetFactorsRequest()),
    (FactorServiceStub, "ListRememberedDevices", pb.ListRememberedDevicesRequest()),
    (FactorServiceStub, "ListIdentities", pb.ListIdentitiesRequest()),
    (FactorServiceStub, "ForgetRememberedDevice", pb.ForgetRememberedDeviceRequest(device_id="rdv_x")),
    (PasskeyServiceStub, "ListPasskeys", pb.ListPasskeysRequest()),
    (PasskeyServiceStub, "RenamePasskey", pb.RenamePasskeyRequest(passkey_id="pky_x", name="Mine")),
]


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def me(app: App, people: People) -> Caller:
    organization = await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    return replace(member(organization), user=session.user_id, session=session.id, address=PLACE)


async def refusal(edge: Edge, stub: Any, method: str, request: Any, caller: Caller) -> tuple[str, int]:
    with pytest.raises(AppError) as caught:
        await edge.call(stub, method, request, caller=caller)
    return caught.value.reason, caught.value.kind.http_status


async def log_in(edge: Edge, **more: str) -> account_pb2.LogInResponse:
    request = account_pb2.LogInRequest(email=EMAIL, password=PASSWORD, **more)
    answer: account_pb2.LogInResponse = await edge.call(
        AccountServiceStub, "LogIn", request, caller=VISITOR, user_agent=BROWSER
    )
    return answer


async def test_an_authenticator_app_from_enrolment_to_removal(edge: Edge, me: Caller, app: App) -> None:
    assert me.user is not None
    begun = await edge.call(FactorServiceStub, "BeginTotp", pb.BeginTotpRequest(), caller=me)
    assert begun.uri.startswith("otpauth://totp/")
    holder = Holder(app, me.user, EMAIL, secret=base64.b32decode(begun.secret))
    wrong = hotp(holder.secret, int(time.time()) // 30 + 99)
    assert await refusal(edge, FactorServiceStub, "ConfirmTotp", pb.ConfirmTotpRequest(code=wrong), me) == (
        "TOTP_CODE_WRONG",
        422,
    )
    right = pb.ConfirmTotpRequest(code=holder.code())
    confirmed = await edge.call(FactorServiceStub, "ConfirmTotp", right, caller=me)
    assert len(confirmed.recovery_codes) == 10
    await holder.let_codes_pass()

    waiting = await log_in(edge)
    assert not waiting.HasField("tokens")
    assert (waiting.challenge.expires_in, list(waiting.challenge.factors)) == (300, ["totp", "recovery_code"])
    answer = pb.AnswerChallengeRequest(
        challenge=waiting.challenge.token, code=holder.code(), remember_device=True
    )
    opened = await edge.call(
        ChallengeServiceStub, "AnswerChallenge", answer, caller=VISITOR, user_agent=BROWSER
    )
    assert opened.tokens.token_type == "Bearer"
    assert (await log_in(edge, device_token=opened.device_token)).HasField("tokens")
    listed = await edge.call(
        FactorServiceStub, "ListRememberedDevices", pb.ListRememberedDevicesRequest(), caller=me
    )
    (device,) = listed.items
    assert (device.device, device.address) == ("Firefox on Linux", PLACE)
    assert device.expires_at.seconds - device.created_at.seconds == 30 * 86_400
    forget = pb.ForgetRememberedDeviceRequest(device_id=device.id)
    await edge.call(FactorServiceStub, "ForgetRememberedDevice", forget, caller=me)
    assert (await log_in(edge, device_token=opened.device_token)).HasField("challenge")

    renewed = await edge.call(
        FactorServiceStub, "RenewRecoveryCodes", pb.RenewRecoveryCodesRequest(), caller=me
    )
    by_code = pb.AnswerChallengeRequest(
        challenge=(await log_in(edge)).challenge.token, recovery_code=renewed.recovery_codes[0]
    )
    opened = await edge.call(ChallengeServiceStub, "AnswerChallenge", by_code, caller=VISITOR)
    assert (opened.device_token, bool(opened.tokens.refresh_token)) == ("", True)
    found = await edge.call(FactorServiceStub, "GetFactors", pb.GetFactorsRequest(), caller=me)
    assert (found.totp, found.passkeys, found.recovery_codes_left) == (True, 0, 9)
    await edge.call(FactorServiceStub, "RemoveTotp", pb.RemoveTotpRequest(), caller=me)
    assert (await log_in(edge)).HasField("tokens")


async def test_a_passkey_from_registration_to_removal(edge: Edge, me: Caller) -> None:
    device = Authenticator("EdDSA", synchronized=True)

    async def signed() -> str:
        options = await edge.call(PasskeyServiceStub, "BeginPasskeyUse", pb.BeginPasskeyUseRequest())
        return device.use(options.options)

    begun = await edge.call(PasskeyServiceStub, "BeginPasskey", pb.BeginPasskeyRequest(), caller=me)
    add = pb.AddPasskeyRequest(name="My phone", credential=device.create(begun.options))
    added = await edge.call(PasskeyServiceStub, "AddPasskey", add, caller=me)
    assert (added.passkey.name, added.passkey.backed_up) == ("My phone", True)
    assert list(added.passkey.transports) == ["hybrid", "internal"]
    assert len(added.recovery_codes) == 10
    assert await refusal(edge, PasskeyServiceStub, "AddPasskey", add, me) == ("PASSKEY_REFUSED", 422)

    request = pb.LogInWithPasskeyRequest(credential=await signed())
    opened = await edge.call(
        PasskeyServiceStub, "LogInWithPasskey", request, caller=VISITOR, user_agent=BROWSER
    )
    assert opened.tokens.access_token
    again = await refusal(edge, PasskeyServiceStub, "LogInWithPasskey", request, VISITOR)
    assert again == ("PASSKEY_UNKNOWN", 401)

    waiting = await log_in(edge)
    assert list(waiting.challenge.factors) == ["passkey", "recovery_code"]
    answer = pb.AnswerChallengeRequest(challenge=waiting.challenge.token, passkey=await signed())
    assert (await edge.call(ChallengeServiceStub, "AnswerChallenge", answer, caller=VISITOR)).tokens

    renew = session_pb2.ReauthenticateRequest(passkey=await signed())
    assert (await edge.call(SessionServiceStub, "Reauthenticate", renew, caller=me)).tokens.access_token
    by_password = session_pb2.ReauthenticateRequest(password=PASSWORD)
    told = await refusal(edge, SessionServiceStub, "Reauthenticate", by_password, me)
    assert told == ("SECOND_FACTOR_REQUIRED", 403)

    rename = pb.RenamePasskeyRequest(passkey_id=added.passkey.id, name="Old phone")
    renamed = await edge.call(PasskeyServiceStub, "RenamePasskey", rename, caller=me)
    assert renamed.passkey.HasField("last_used_at")
    listed = await edge.call(PasskeyServiceStub, "ListPasskeys", pb.ListPasskeysRequest(), caller=me)
    assert [each.name for each in listed.items] == ["Old phone"]
    remove = pb.RemovePasskeyRequest(passkey_id=added.passkey.id)
    await edge.call(PasskeyServiceStub, "RemovePasskey", remove, caller=me)
    assert await refusal(edge, PasskeyServiceStub, "RemovePasskey", remove, me) == ("PASSKEY_NOT_FOUND", 404)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ("ONE_FACTOR_WANTED", 422)),
        ({"code": "123456", "recovery_code": "x"}, ("ONE_FACTOR_WANTED", 422)),
        ({"code": "123456", "passkey": "{}"}, ("ONE_FACTOR_WANTED", 422)),
        ({"code": "12345"}, ("INVALID_REQUEST", 400)),
        ({"code": "123456"}, ("CHALLENGE_INVALID", 401)),
        ({"recovery_code": "\x00"}, ("CHALLENGE_INVALID", 401)),
        ({"passkey": "["}, ("CHALLENGE_INVALID", 401)),
    ],
)
async def test_answers_that_nobody_waits_for(
    edge: Edge, given: dict[str, str], told: tuple[str, int]
) -> None:
    request = pb.AnswerChallengeRequest(challenge="A" * 43, **given)
    assert await refusal(edge, ChallengeServiceStub, "AnswerChallenge", request, VISITOR) == told


@pytest.mark.parametrize(("stub", "method", "request_"), FRESH, ids=[method for _, method, _ in FRESH])
async def test_factors_change_only_with_fresh_credentials(
    edge: Edge, me: Caller, stub: Any, method: str, request_: Any
) -> None:
    stale = replace(me, authenticated_at=int(time.time()) - 3601)
    assert await refusal(edge, stub, method, request_, stale) == ("FRESH_AUTHENTICATION_REQUIRED", 403)


@pytest.mark.parametrize(("stub", "method", "request_"), OWN, ids=[method for _, method, _ in OWN])
async def test_neither_keys_nor_operators_handle_the_factors_of_people(
    edge: Edge, me: Caller, stub: Any, method: str, request_: Any
) -> None:
    key, operator = replace(me, session=None, key=ids.new()), replace(me, operator=ids.new())
    assert await refusal(edge, stub, method, request_, key) == ("PERMISSION_DENIED", 403)
    assert await refusal(edge, stub, method, request_, operator) == ("PERMISSION_DENIED", 403)
