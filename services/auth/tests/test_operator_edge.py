"""The edge of operators and their access: messages, refusals, who may, and what the documents say of it."""

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from auth.app import App
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import ActorKind, Author
from auth.servicer import servicers
from auth.settings import HashingSettings
from auth.usecases import operator_log_in, operators
from comptoir.auth.v1 import audit_pb2, credential_pb2
from comptoir.auth.v1 import operator_access_pb2 as access_pb2
from comptoir.auth.v1 import operator_pb2 as pb
from comptoir.auth.v1.audit_pb2_grpc import AuditServiceStub
from comptoir.auth.v1.credential_pb2_grpc import AccountMailServiceStub
from comptoir.auth.v1.operator_access_pb2_grpc import OperatorAccessServiceStub, OperatorVisitServiceStub
from comptoir.auth.v1.operator_pb2_grpc import (
    OperatorLogInServiceStub,
    OperatorServiceStub,
    OperatorSessionServiceStub,
)
from servicekit import ids, permissions
from servicekit.errors import AppError
from servicekit.identity import Caller
from testkit.callers import anonymous, service, visitor
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import BROWSER, PLACE, People
from .mailbox import waiting
from .operating import NOBODY, OTHER_WORDS, OWNER, WORDS, Agent, said
from .staff import hire, log_in
from .test_equal_work import CountedPasswords, statements

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "permissions.md"
REASON = {"reason": "The guests cannot book", "ticket": "T-17", "minutes": 30}


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def organization(people: People) -> UUID:
    return await people.own(OWNER)


@pytest.fixture
async def sylvie(app: App) -> Agent:
    return await Agent.add(app)


async def refusal(edge: Edge, stub: Any, method: str, request: Any, caller: Caller) -> str:
    with pytest.raises(AppError) as caught:
        await edge.call(stub, method, request, caller=caller)
    return caught.value.reason


async def begin(edge: Edge, caller: Caller, organization: UUID, **more: Any) -> Any:
    wish = access_pb2.BeginOperatorAccessRequest(
        organization_id=ids.show("org", organization), **REASON | more
    )
    return await edge.call(OperatorAccessServiceStub, "BeginOperatorAccess", wish, caller=caller)


async def test_an_operator_is_made_enrols_and_logs_in_through_the_edge(edge: Edge, sylvie: Agent) -> None:
    admin = await sylvie.caller()
    wish = pb.AddOperatorRequest(email="marcel@platform.example", display_name="Marcel", role="support")
    made = await edge.call(OperatorServiceStub, "AddOperator", wish, caller=admin)
    assert (made.operator.role, made.operator.HasField("enrolled_at")) == ("support", False)
    nobody = replace(anonymous(), address=PLACE)

    async def ask(method: str, request: Any) -> Any:
        return await edge.call(OperatorLogInServiceStub, method, request, caller=nobody, user_agent=BROWSER)

    app_ = await ask("BeginOperatorEnrolment", pb.BeginOperatorEnrolmentRequest(token=made.enrolment_token))
    assert app_.uri.startswith("otpauth://totp/Comptoir%3Amarcel%40platform.example?secret=" + app_.secret)
    marcel = Agent(sylvie.app, ids.parse("opr", made.operator.id, AppError), made.operator.email)
    await marcel.enrol(made.enrolment_token)
    challenge = await ask("LogInOperator", pb.LogInOperatorRequest(email=marcel.email, password=WORDS))
    assert challenge.expires_in == 300
    answer = pb.AnswerOperatorChallengeRequest(challenge=challenge.challenge, code=marcel.code())
    tokens = (await ask("AnswerOperatorChallenge", answer)).tokens
    assert (tokens.token_type, tokens.expires_in) == ("Bearer", 600)
    again = pb.RefreshOperatorSessionRequest(refresh_token=tokens.refresh_token)
    assert (await ask("RefreshOperatorSession", again)).tokens.access_token
    await marcel.let_codes_pass()
    caller = await marcel.caller()
    me = await edge.call(OperatorSessionServiceStub, "GetOperator", pb.GetOperatorRequest(), caller=caller)
    assert (me.operator.display_name, me.recovery_codes_left) == ("Marcel", 10)
    assert set(me.permissions) == permissions.OPERATOR_ROLES["support"]
    listed = await edge.call(
        OperatorSessionServiceStub, "ListOperatorSessions", pb.ListOperatorSessionsRequest(), caller=caller
    )
    assert [each.current for each in listed.items] == [True, False]
    assert {each.device for each in listed.items} == {"Firefox on Linux"}


async def test_what_operators_do_about_each_other_is_for_admins_and_not_about_oneself(
    edge: Edge, app: App, sylvie: Agent
) -> None:
    admin = await sylvie.caller()
    marcel = await Agent.add(app, "marcel@platform.example", "support")
    me, him = ids.show("opr", sylvie.id), ids.show("opr", marcel.id)
    for method in ("ReenrolOperator", "DisableOperator"):
        request = getattr(pb, f"{method}Request")
        assert (
            await refusal(edge, OperatorServiceStub, method, request(operator_id=me), admin)
            == "OPERATOR_IS_YOU"
        )
        for missing in (ids.show("opr", ids.new()), ids.show("usr", marcel.id), "x"):
            assert (
                await refusal(edge, OperatorServiceStub, method, request(operator_id=missing), admin)
                == "OPERATOR_NOT_FOUND"
            )
        support = await marcel.caller()
        assert (
            await refusal(edge, OperatorServiceStub, method, request(operator_id=me), support)
            == "PERMISSION_DENIED"
        )
    again = await edge.call(
        OperatorServiceStub, "ReenrolOperator", pb.ReenrolOperatorRequest(operator_id=him), caller=admin
    )
    assert again.enrolment_token
    await edge.call(
        OperatorServiceStub, "DisableOperator", pb.DisableOperatorRequest(operator_id=him), caller=admin
    )
    shown = await edge.call(OperatorServiceStub, "ListOperators", pb.ListOperatorsRequest(), caller=admin)
    assert [(each.email, each.HasField("disabled_at")) for each in shown.items] == [
        (marcel.email, True),
        (sylvie.email, False),
    ]


async def test_own_credentials_through_the_edge(edge: Edge, sylvie: Agent) -> None:
    caller = replace(await sylvie.caller(), address=PLACE)

    async def do(method: str, **values: Any) -> Any:
        request = getattr(pb, f"{method}Request")(**values)
        return await edge.call(OperatorSessionServiceStub, method, request, caller=caller)

    renewed = await do("ReauthenticateOperator", password=WORDS, code=sylvie.code())
    assert renewed.tokens.access_token
    assert len((await do("RenewOperatorRecoveryCodes")).recovery_codes) == 10
    await sylvie.let_codes_pass()
    other = await sylvie.session(await sylvie.log_in())
    await do("EndOperatorSession", session_id=ids.show("ops", other.id))
    await do("ChangeOperatorPassword", old_password=WORDS, new_password=OTHER_WORDS)
    for _ in range(2):
        await do("LogOutOperator")
    request = pb.EndOperatorSessionRequest(session_id=ids.show("ses", other.id))
    stub = OperatorSessionServiceStub
    assert await refusal(edge, stub, "EndOperatorSession", request, caller) == "SESSION_NOT_FOUND"


async def test_the_organization_sees_who_was_there_why_and_ends_it(
    edge: Edge, app: App, people: People, organization: UUID, sylvie: Agent
) -> None:
    operator = await sylvie.caller()
    begun = await begin(edge, operator, organization, write=True)
    assert begun.token.expires_in == 600
    access = begun.access
    owner = await log_in(people, OWNER)
    admin = await hire(people, owner, "odette@example.org", "admin")
    manager = await hire(people, owner, "marcel@example.org", "manager")
    question = access_pb2.ListOperatorAccessRequest()
    for member in (owner, admin):
        seen = await edge.call(OperatorVisitServiceStub, "ListOperatorAccess", question, caller=member)
        assert list(seen.items) == [access]
    assert (access.operator_name, access.reason, access.ticket, access.write) == (
        "Sylvie",
        REASON["reason"],
        "T-17",
        True,
    )
    assert access.ends_at.seconds - access.began_at.seconds == 1800
    end = access_pb2.EndOperatorAccessRequest(access_id=access.id)
    for member, method, request in (
        (manager, "ListOperatorAccess", question),
        (admin, "EndOperatorAccess", end),
        (visitor(organization, write=True), "EndOperatorAccess", end),
    ):
        stub = OperatorVisitServiceStub
        assert await refusal(edge, stub, method, request, member) == "PERMISSION_DENIED"
    for _ in range(2):
        await edge.call(OperatorVisitServiceStub, "EndOperatorAccess", end, caller=owner)
    again = access_pb2.RenewOperatorAccessRequest(access_id=access.id)
    stub = OperatorAccessServiceStub
    assert await refusal(edge, stub, "RenewOperatorAccess", again, operator) == "OPERATOR_ACCESS_OVER"
    log = audit_pb2.ListAuditEntriesRequest(
        organization_id=ids.show("org", organization), actor_id=ids.show("opr", sylvie.id)
    )
    (entry,) = (await edge.call(AuditServiceStub, "ListAuditEntries", log, caller=admin)).items
    assert (entry.action, entry.actor_kind, entry.target) == (
        "operator_access.begun",
        "operator",
        access.id,
    )
    all_of_it = access_pb2.ListAllOperatorAccessRequest()
    listed = await edge.call(stub, "ListAllOperatorAccess", all_of_it, caller=operator)
    assert [each.end_reason for each in listed.items] == ["organization"]


async def test_a_foreign_access_is_like_one_that_does_not_exist(
    edge: Edge, people: People, organization: UUID, sylvie: Agent
) -> None:
    access = (await begin(edge, await sylvie.caller(), organization)).access
    await people.own("marcel@example.org")
    stranger = await log_in(people, "marcel@example.org")
    refused = {
        await refusal(
            edge,
            OperatorVisitServiceStub,
            "EndOperatorAccess",
            access_pb2.EndOperatorAccessRequest(access_id=each),
            stranger,
        )
        for each in (access.id, ids.show("acc", ids.new()), "x")
    }
    assert refused == {"OPERATOR_ACCESS_NOT_FOUND"}


async def test_the_owners_mail_says_who_why_and_how_long(
    edge: Edge, app: App, organization: UUID, sylvie: Agent
) -> None:
    before = set(await waiting(app))
    await begin(edge, await sylvie.caller(), organization, write=True)
    (mail,) = set(await waiting(app)) - before
    request = credential_pb2.IssueAccountMailRequest(mail_id=ids.show("aml", mail))
    answer = await edge.call(
        AccountMailServiceStub, "IssueAccountMail", request, caller=service("notification")
    )
    assert (answer.kind, answer.email) == ("operator_access", OWNER)
    assert answer.visit == credential_pb2.OperatorVisit(
        organization_name="Chez Paulette", operator_name="Sylvie", write=True, **REASON
    )


async def test_support_does_not_write(edge: Edge, app: App, organization: UUID) -> None:
    support = await (await Agent.add(app, "marcel@platform.example", "support")).caller()
    with pytest.raises(AppError) as caught:
        await begin(edge, support, organization, write=True)
    assert caught.value.reason == "PERMISSION_DENIED"
    assert (await begin(edge, support, organization)).access.write is False


async def test_what_operators_find_of_organizations_names_no_person(
    edge: Edge, organization: UUID, sylvie: Agent
) -> None:
    request = access_pb2.SearchOrganizationsRequest(query="chez")
    answer = await edge.call(
        OperatorAccessServiceStub, "SearchOrganizations", request, caller=await sylvie.caller()
    )
    (found,) = answer.items
    assert {field.name for field, _ in found.ListFields()} == {"id", "name", "plan", "created_at"}
    assert (found.id, found.name, found.plan) == (ids.show("org", organization), "Chez Paulette", "free")


@pytest.mark.parametrize("column", ["operator", "operator, writing"])
async def test_a_break_glass_token_carries_exactly_what_the_document_says(
    edge: Edge, organization: UUID, sylvie: Agent, column: str
) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| (permission|`[a-z.]+`) \|", line)
    ]
    number = rows[0].index(column)
    documented = {row[0].strip("`") for row in rows[1:] if row[number] == "yes"}
    begun = await begin(edge, await sylvie.caller(), organization, write=column.endswith("writing"))
    assert documented == set(said(begun.token.access_token)["scope"].split())
    assert documented <= permissions.ALL
    never = ("members.", "roles.", "keys.", "organization.", "audit.", "privacy.", "webhooks.")
    assert not {each for each in documented if each.startswith(never) and each.endswith(".write")}


@pytest.fixture
async def counted(app: App) -> AsyncIterator[tuple[App, CountedPasswords]]:
    pool = CountedPasswords(HashingSettings())
    yield replace(app, passwords=pool), pool
    pool.close()


async def test_known_and_unknown_operators_cost_the_same_work(
    counted: tuple[App, CountedPasswords], sylvie: Agent
) -> None:
    app, pool = counted
    over = await Agent.add(sylvie.app, "over@platform.example")
    await operators.disable_operator(sylvie.app, over.id, by=sylvie.by)
    await operators.reenrol_operator(
        sylvie.app, (await Agent.add(sylvie.app, "waiting@platform.example")).id, by=NOBODY
    )
    work = set()
    for number, name in enumerate(("sylvie", "over", "waiting", "nobody", "nobody.else")):
        pool.done.clear()
        by = Author(ActorKind.NOBODY, address=f"192.0.2.{number}")
        with statements(app) as sent, suppress(InvalidCredentials):
            await operator_log_in.log_in_operator(app, f"{name}@platform.example", "a guess", by=by)
        work.add((tuple(pool.done), tuple(sent)))
    assert len(work) == 1
    assert work.pop()[0] == ("verify",)
