"""The edge of requests about persons: who may ask, what they see, and whom the directory answers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from auth.app import App
from auth.servicer import servicers
from comptoir.auth.v1 import privacy_pb2 as pb
from comptoir.auth.v1 import privacy_pb2_grpc as rpc
from servicekit import ids
from servicekit.errors import AppError
from servicekit.identity import Caller
from servicekit.permissions import ROLES
from testkit.callers import anonymous, service
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import Expected, People
from .staff import log_in

GUEST, PHONE = "zephyrine@guest.example", "+33612345678"
OTHERS = ("booking", "payment", "notification", "support", "analytics")
_REQUESTS, _OWN, _DIRECTORY = (
    rpc.PrivacyServiceStub,
    rpc.MyDataServiceStub,
    rpc.PrivacyDirectoryServiceStub,
)


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own("paulette@example.org")
    return await log_in(people, "paulette@example.org")


def wish(owner: Caller, **more: Any) -> pb.CreatePrivacyRequestRequest:
    values = {"kind": pb.PRIVACY_REQUEST_KIND_EXPORT, "email": GUEST} | more
    return pb.CreatePrivacyRequestRequest(organization_id=ids.show("org", owner.tenant), **values)


async def refusal(edge: Edge, stub: Any, method: str, request: Any, caller: Caller) -> str:
    with pytest.raises(AppError) as caught:
        await edge.call(stub, method, request, caller=caller)
    return caught.value.reason


async def made(edge: Edge, owner: Caller, **more: Any) -> pb.PrivacyRequest:
    answer = await edge.call(_REQUESTS, "CreatePrivacyRequest", wish(owner, **more), caller=owner)
    found: pb.PrivacyRequest = answer.request
    return found


async def test_an_export_from_the_wish_to_the_archive(edge: Edge, owner: Caller) -> None:
    request = await made(edge, owner)
    assert request.status == pb.PRIVACY_REQUEST_STATUS_RUNNING
    assert (request.requested_by, list(request.waiting_for)) == (
        ids.show("usr", owner.user or ids.new()),
        [*OTHERS],
    )
    assert request.due_at.seconds - request.created_at.seconds == 30 * 86_400
    for name in OTHERS:
        part = pb.PutExportPartRequest(request_id=request.id, document=b"{}")
        await edge.call(_DIRECTORY, "PutExportPart", part, caller=service(name, owner.tenant))
    names = {"organization_id": ids.show("org", owner.tenant)}
    read = pb.GetPrivacyRequestRequest(request_id=request.id, **names)
    found = (await edge.call(_REQUESTS, "GetPrivacyRequest", read, caller=owner)).request
    assert found.status == pb.PRIVACY_REQUEST_STATUS_COMPLETED
    assert {each.service for each in found.receipts} == {"auth", *OTHERS}
    assert found.kept_until.seconds - found.completed_at.seconds == 7 * 86_400
    page = pb.ListPrivacyRequestsRequest(**names)
    listed = await edge.call(_REQUESTS, "ListPrivacyRequests", page, caller=owner)
    assert [each.id for each in listed.items] == [request.id]
    download = pb.DownloadExportRequest(request_id=request.id, **names)
    body = await edge.call(_REQUESTS, "DownloadExport", download, caller=owner)
    assert body.content_type == "application/zip"
    assert body.data.startswith(b"PK")
    assert GUEST not in str(found) + str(listed)


@pytest.mark.parametrize("role", ROLES)
async def test_owners_and_admins_may_ask_and_nobody_else(edge: Edge, owner: Caller, role: str) -> None:
    caller = replace(owner, role=role, permissions=ROLES[role])
    if role in {"owner", "admin"}:
        await made(edge, caller)
        return
    reason = await refusal(edge, _REQUESTS, "CreatePrivacyRequest", wish(owner), caller)
    assert reason == "PERMISSION_DENIED"


async def test_it_takes_fresh_credentials_and_a_person(edge: Edge, owner: Caller) -> None:
    stale = replace(owner, authenticated_at=1)
    key = replace(owner, user=None, session=None, key=ids.new())
    reasons = [
        await refusal(edge, _REQUESTS, "CreatePrivacyRequest", wish(owner), each)
        for each in (stale, key, replace(owner, operator=ids.new()), anonymous())
    ]
    assert reasons[0] == "FRESH_AUTHENTICATION_REQUIRED"
    assert set(reasons[1:]) <= {"UNAUTHENTICATED", "PERMISSION_DENIED", "FRESH_AUTHENTICATION_REQUIRED"}


@pytest.mark.parametrize(
    "more",
    [{"email": ""}, {"phone": PHONE, "name": "Zoé"}, {"email": "", "phone": PHONE}],
    ids=["nobody", "somebody in two ways", "whoever has a number"],
)
async def test_whoever_is_not_named_in_one_way_is_refused(
    edge: Edge, owner: Caller, more: dict[str, str]
) -> None:
    reason = await refusal(edge, _REQUESTS, "CreatePrivacyRequest", wish(owner, **more), owner)
    assert reason == "SUBJECT_UNCLEAR"


async def test_whoever_asks_sees_first_who_shares_a_number(
    edge: Edge, owner: Caller, expected: Expected
) -> None:
    expected.names[PHONE] = ["Zoé", "Marcel"]
    asked = pb.ListNamesOfNumberRequest(organization_id=ids.show("org", owner.tenant), phone=PHONE)
    found = await edge.call(_REQUESTS, "ListNamesOfNumber", asked, caller=owner)
    assert [(each.name, each.bookings) for each in found.items] == [("Zoé", 3), ("Marcel", 3)]
    viewer = replace(owner, permissions=owner.permissions - {"privacy.write"})
    assert await refusal(edge, _REQUESTS, "ListNamesOfNumber", asked, viewer) == "PERMISSION_DENIED"
    asked.organization_id = ids.show("org", ids.new())
    assert await refusal(edge, _REQUESTS, "ListNamesOfNumber", asked, owner) == "ORGANIZATION_NOT_FOUND"


async def test_booking_is_told_number_and_name(edge: Edge, owner: Caller) -> None:
    request = await made(edge, owner, email="", phone=PHONE, name="Zoé")
    asked = pb.GetPrivacySubjectRequest(request_id=request.id)
    caller = service("booking", owner.tenant)
    found = await edge.call(_DIRECTORY, "GetPrivacySubject", asked, caller=caller)
    assert (found.email, found.phone, found.name) == ("", PHONE, "zoé")


@pytest.mark.parametrize("name", OTHERS)
async def test_the_address_is_told_to_booking_alone_and_for_its_organization_alone(
    edge: Edge, owner: Caller, name: str
) -> None:
    request = await made(edge, owner)
    asked = pb.GetPrivacySubjectRequest(request_id=request.id)
    if name == "booking":
        found = await edge.call(_DIRECTORY, "GetPrivacySubject", asked, caller=service(name, owner.tenant))
        assert (found.email, found.phone) == (GUEST, "")
        elsewhere = service(name, ids.new())
        reason = await refusal(edge, _DIRECTORY, "GetPrivacySubject", asked, elsewhere)
        assert reason == "PRIVACY_REQUEST_NOT_FOUND"
    else:
        caller = service(name, owner.tenant)
        assert await refusal(edge, _DIRECTORY, "GetPrivacySubject", asked, caller) == "PERMISSION_DENIED"


async def test_the_own_export_is_the_callers(edge: Edge, owner: Caller, people: People) -> None:
    request = (await edge.call(_OWN, "ExportMyData", pb.ExportMyDataRequest(), caller=owner)).request
    for name in OTHERS:
        part = pb.PutExportPartRequest(request_id=request.id, document=b"{}")
        await edge.call(_DIRECTORY, "PutExportPart", part, caller=service(name))
    download = pb.DownloadMyDataRequest(export_id=request.id)
    body = await edge.call(_OWN, "DownloadMyData", download, caller=owner)
    assert body.data.startswith(b"PK")
    await people.own("marcel@example.org")
    stranger = await log_in(people, "marcel@example.org")
    assert await refusal(edge, _OWN, "DownloadMyData", download, stranger) == "PRIVACY_REQUEST_NOT_FOUND"
    mine = await _listed(edge, owner)
    assert ([each.id for each in mine], await _listed(edge, stranger)) == ([request.id], [])


async def _listed(edge: Edge, caller: Caller) -> Sequence[pb.PrivacyRequest]:
    answer = await edge.call(_OWN, "ListMyDataExports", pb.ListMyDataExportsRequest(), caller=caller)
    return list(answer.items)
