"""The edge behind the real guard: messages, refusals, and what nobody may learn from answers."""

import json
from dataclasses import replace
from typing import Any

import pytest

from auth.app import App
from auth.domain import accounts, passwords, sessions
from auth.domain.sessions import REUSE_INTERVAL, RefreshToken
from auth.servicer import servicers
from comptoir.auth.v1 import account_pb2 as pb
from comptoir.auth.v1.account_pb2_grpc import AccountDirectoryServiceStub, AccountServiceStub
from servicekit import ids, permissions
from servicekit.errors import RETRY_AFTER, AppError, Kind, catalogue
from servicekit.identity import Caller, CallerKind
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import PASSWORD, People

EMAIL = "paulette@example.org"


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


def registration(email: str = EMAIL, **changed: str) -> pb.RegisterRequest:
    values = {
        "email": email,
        "password": PASSWORD,
        "display_name": "Paulette",
        "organization_name": "Chez Paulette",
        "language": "fr",
    }
    return pb.RegisterRequest(**(values | changed))


async def refusal(edge: Edge, method: str, request: Any, **how: Any) -> AppError:
    stub = how.pop("stub", AccountServiceStub)
    with pytest.raises(AppError) as caught:
        await edge.call(stub, method, request, **how)
    return caught.value


async def issue(edge: Edge, user_id: str) -> pb.IssueVerificationResponse:
    answer: pb.IssueVerificationResponse = await edge.call(
        AccountDirectoryServiceStub,
        "IssueVerification",
        pb.IssueVerificationRequest(user_id=user_id),
        caller=service("notification"),
    )
    return answer


async def test_an_owner_registers_verifies_logs_in_and_leaves(edge: Edge, people: People) -> None:
    await edge.call(AccountServiceStub, "Register", registration())
    (registered,) = await people.registrations(EMAIL)
    mail = await issue(edge, ids.show("usr", registered))
    assert (mail.email, mail.display_name, mail.language) == (EMAIL, "Paulette", "fr")
    verified = await edge.call(AccountServiceStub, "VerifyEmail", pb.VerifyEmailRequest(token=mail.token))
    login = pb.LogInRequest(email=EMAIL, password=PASSWORD)
    tokens = (await edge.call(AccountServiceStub, "LogIn", login)).tokens
    assert (tokens.token_type, tokens.expires_in) == ("Bearer", 600)
    request = pb.RefreshSessionRequest(refresh_token=tokens.refresh_token)
    tokens = (await edge.call(AccountServiceStub, "RefreshSession", request)).tokens
    organization = ids.parse("org", verified.organization_id, AppError)
    session = RefreshToken.parse(tokens.refresh_token).session_id
    paulette = replace(member(organization), user=registered, session=session)
    me = await edge.call(AccountServiceStub, "GetMe", pb.GetMeRequest(), caller=paulette)
    assert me == pb.GetMeResponse(
        user_id=ids.show("usr", registered),
        email=EMAIL,
        display_name="Paulette",
        organization_id=verified.organization_id,
        organization_name="Chez Paulette",
        role="owner",
        permissions=sorted(permissions.of_role("owner")),
    )
    await edge.call(AccountServiceStub, "LogOut", pb.LogOutRequest(), caller=paulette)
    over = await refusal(edge, "RefreshSession", pb.RefreshSessionRequest(refresh_token=tokens.refresh_token))
    assert (over.reason, over.kind) == ("REFRESH_TOKEN_INVALID", Kind.UNAUTHENTICATED)


async def test_no_answer_tells_whether_an_address_is_known(edge: Edge, people: People) -> None:
    await people.own("known@example.org")
    await people.register("waiting@example.org")
    asked = ("known@example.org", "waiting@example.org", "nobody@example.org")
    registered = {
        (await edge.call(AccountServiceStub, "Register", registration(email))).SerializeToString()
        for email in asked
    }
    resent = {
        (
            await edge.call(
                AccountServiceStub, "ResendVerification", pb.ResendVerificationRequest(email=email)
            )
        ).SerializeToString()
        for email in asked
    }
    assert registered == resent == {b""}
    refused = [
        await refusal(edge, "LogIn", pb.LogInRequest(email=email, password="a guess and another"))
        for email in asked
    ]
    seen = {(each.reason, each.kind, each.detail, str(each.metadata), each.violations) for each in refused}
    assert len(seen) == 1
    assert refused[0].reason == "INVALID_CREDENTIALS"
    assert refused[0].kind.http_status == 401


async def test_an_unverified_owner_is_told_so(edge: Edge, people: People) -> None:
    await people.register(EMAIL)
    told = await refusal(edge, "LogIn", pb.LogInRequest(email=EMAIL, password=PASSWORD))
    assert (told.reason, told.kind.http_status) == ("EMAIL_NOT_VERIFIED", 409)


async def test_guessers_are_told_to_wait_by_place(edge: Edge, people: People) -> None:
    await people.own(EMAIL)
    guesser = replace(anonymous(), address="198.51.100.9")
    guess = pb.LogInRequest(email=EMAIL, password="a guess and another")
    for _ in range(5):
        await refusal(edge, "LogIn", guess, caller=guesser)
    stopped = await refusal(edge, "LogIn", guess, caller=guesser)
    assert (stopped.reason, stopped.kind.http_status) == ("TOO_MANY_ATTEMPTS", 429)
    assert 880 < int(stopped.metadata[RETRY_AFTER]) <= 900
    right = pb.LogInRequest(email=EMAIL, password=PASSWORD)
    assert await edge.call(
        AccountServiceStub, "LogIn", right, caller=replace(anonymous(), address="192.0.2.7")
    )


@pytest.mark.parametrize(
    ("method", "request_", "reason", "status"),
    [
        ("Register", registration(password="password1234"), "PASSWORD_TOO_COMMON", 422),
        ("Register", registration(password="too short"), "INVALID_REQUEST", 400),
        ("Register", registration(email="not an address"), "INVALID_REQUEST", 400),
        ("Register", registration(display_name="\x00"), "INVALID_REQUEST", 400),
        ("Register", registration(organization_name=" \t "), "INVALID_REQUEST", 400),
        ("Register", registration(language="tlh"), "INVALID_REQUEST", 400),
        ("VerifyEmail", pb.VerifyEmailRequest(token="\x00"), "VERIFICATION_TOKEN_INVALID", 404),
        ("VerifyEmail", pb.VerifyEmailRequest(), "INVALID_REQUEST", 400),
        ("LogIn", pb.LogInRequest(email="\x00\x00\x00", password="\x00"), "INVALID_CREDENTIALS", 401),
        ("RefreshSession", pb.RefreshSessionRequest(refresh_token="é"), "REFRESH_TOKEN_INVALID", 401),
        ("RefreshSession", pb.RefreshSessionRequest(refresh_token="A" * 300), "REFRESH_TOKEN_INVALID", 401),
    ],
)
async def test_bad_input_gets_its_reason(
    edge: Edge, method: str, request_: Any, reason: str, status: int
) -> None:
    refused = await refusal(edge, method, request_)
    assert (refused.reason, refused.kind.http_status) == (reason, status)


async def test_an_old_refresh_token_is_told_from_an_invalid_one(edge: Edge, people: People) -> None:
    await people.own(EMAIL)
    first = (await people.log_in(EMAIL)).refresh_token
    token = first
    for _ in range(2):
        request = pb.RefreshSessionRequest(refresh_token=token)
        token = (await edge.call(AccountServiceStub, "RefreshSession", request)).tokens.refresh_token
    await people.age_sessions(REUSE_INTERVAL)
    reused = await refusal(edge, "RefreshSession", pb.RefreshSessionRequest(refresh_token=first))
    assert (reused.reason, reused.kind.http_status) == ("REFRESH_TOKEN_REUSED", 401)


@pytest.mark.parametrize(
    ("method", "request_"), [("GetMe", pb.GetMeRequest()), ("LogOut", pb.LogOutRequest())]
)
async def test_calls_about_oneself_need_a_member(edge: Edge, method: str, request_: Any) -> None:
    nameless = Caller(CallerKind.MEMBER, "gateway", organization=ids.new(), role="owner")
    for caller in (anonymous(), service("booking", ids.new()), nameless):
        refused = await refusal(edge, method, request_, caller=caller)
        assert refused.reason == "UNAUTHENTICATED"


async def test_a_member_of_another_organization_is_nobody_here(edge: Edge, people: People) -> None:
    await people.own(EMAIL)
    stranger = member(await people.own("marcel@example.org"))
    assert (await refusal(edge, "GetMe", pb.GetMeRequest(), caller=stranger)).reason == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("method", "request_", "right"),
    [
        ("GetSigningKeys", pb.GetSigningKeysRequest(), "gateway"),
        ("IssueVerification", pb.IssueVerificationRequest(user_id="usr_x"), "notification"),
    ],
)
async def test_the_directory_is_for_named_services_only(
    edge: Edge, method: str, request_: Any, right: str
) -> None:
    wrong = service("booking")
    for caller, reason in (
        (anonymous(), "UNAUTHENTICATED"),
        (member(ids.new()), "UNAUTHENTICATED"),
        (wrong, "PERMISSION_DENIED"),
    ):
        refused = await refusal(edge, method, request_, caller=caller, stub=AccountDirectoryServiceStub)
        assert refused.reason == reason
    assert right != wrong.issuer


async def test_the_gateway_gets_the_public_keys(app: App, edge: Edge) -> None:
    answer = await edge.call(
        AccountDirectoryServiceStub, "GetSigningKeys", pb.GetSigningKeysRequest(), caller=service("gateway")
    )
    assert answer.jwks_json == app.keyring.public_set()
    assert all("d" not in key for key in json.loads(answer.jwks_json)["keys"])


async def test_booking_learns_how_many_venues_a_plan_allows(app: App, people: People, edge: Edge) -> None:
    organization = await people.own("paulette@example.org")
    asked = pb.GetPlanRequest()

    async def ask(caller: Caller) -> int:
        answer = await edge.call(AccountDirectoryServiceStub, "GetPlan", asked, caller=caller)
        return int(answer.venues)

    assert await ask(service("booking", organization)) == app.plans["free"].venues
    for caller, reason in (
        (service("booking", ids.new()), "ORGANIZATION_NOT_FOUND"),
        (service("booking"), "UNAUTHENTICATED"),
        (service("support", organization), "PERMISSION_DENIED"),
        (member(organization), "UNAUTHENTICATED"),
    ):
        refused = await refusal(edge, "GetPlan", asked, caller=caller, stub=AccountDirectoryServiceStub)
        assert refused.reason == reason


async def test_nothing_is_to_be_mailed_for_what_is_forgotten_and_no_id_is_not_found(edge: Edge) -> None:
    assert await issue(edge, ids.show("usr", ids.new())) == pb.IssueVerificationResponse()
    refused = await refusal(
        edge,
        "IssueVerification",
        pb.IssueVerificationRequest(user_id="org_nonsense"),
        caller=service("notification"),
        stub=AccountDirectoryServiceStub,
    )
    assert (refused.reason, refused.kind.http_status) == ("REGISTRATION_NOT_FOUND", 404)


def test_the_catalogue_lists_every_refusal_of_auth() -> None:
    ours = {
        error.reason: error.kind.http_status
        for error in catalogue()
        if error.__module__ in {accounts.__name__, passwords.__name__, sessions.__name__}
    }
    assert ours == {
        "EMAIL_NOT_VERIFIED": 409,
        "INVALID_CREDENTIALS": 401,
        "PASSWORD_TOO_COMMON": 422,
        "REFRESH_TOKEN_INVALID": 401,
        "REFRESH_TOKEN_REUSED": 401,
        "REGISTRATION_NOT_FOUND": 404,
        "SESSION_NOT_FOUND": 404,
        "TOO_MANY_ATTEMPTS": 429,
        "VERIFICATION_TOKEN_INVALID": 404,
    }
    assert all(
        error.__doc__ and error.detail != AppError.detail for error in catalogue() if error.reason in ours
    )
