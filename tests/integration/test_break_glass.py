"""An operator gets access to an organization of the running platform: what they may, who sees and ends it."""

import json
import re
import subprocess

import pytest
from google.api import annotations_pb2

from comptoir.api.v1 import policy_pb2
from devstack.demo.api import Api, Refused, Sink
from devstack.demo.guest import Guest, book, next_service_day, search
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform
from servicekit import contract, permissions
from servicekit.contract import Rpc
from testkit import eventually

from .conftest import new_owner, new_restaurant
from .operating import Operator, command, new_operator

MEMBER_RPCS = [
    rpc
    for rpc in contract.rpcs().values()
    if rpc.policy and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
]


@pytest.fixture(scope="module")
def owner(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture(scope="module")
def venue(owner: Owner) -> Venue:
    return new_restaurant(owner)


@pytest.fixture(scope="module")
def operator(platform: Platform, api: Api) -> Operator:
    return new_operator(platform, api)


def refusal(call: object, *arguments: object) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.status, caught.value.reason


def test_an_operator_finds_an_organization_and_changes_a_booking_by_name(
    api: Api, sink: Sink, owner: Owner, venue: Venue, operator: Operator
) -> None:
    day = next_service_day(days_ahead=12)
    start = next(each["start"] for each in search(api, venue, date=day, party_size=2) if each["bookable"])
    guest = Guest("Theirs", "theirs@guest.example")
    booking = book(api, venue, start=start, party_size=2, guest=guest)["booking"]["id"]
    (found,) = operator.api.get("/v1/platform/organizations", query=owner.organization_id)["items"]
    assert set(found) == {"id", "name", "plan", "created_at"}
    there, access = operator.enter(owner.organization_id, write=True)
    mail = sink.wait_for_mail(owner.email, matching="The guests cannot book")
    assert "Sylvie" in mail["text"]
    assert "30 minutes" in mail["text"]
    there.post(f"/v1/bookings/{booking}/cancel")
    changes = owner.api.get(f"/v1/bookings/{booking}/history")["items"]
    (cancelled,) = [each for each in changes if each["kind"] == "cancelled"]
    assert (cancelled["actor"], cancelled["operator_id"]) == ("operator", operator.id)
    log = owner.api.get(
        f"/v1/organizations/{owner.organization_id}/audit-entries", action="operator_access.begun"
    )
    assert [(each["actor_id"], each["target"]) for each in log["items"]] == [(operator.id, access["id"])]


def test_each_token_is_good_for_its_own_side_alone(owner: Owner, operator: Operator) -> None:
    there, _ = operator.enter(owner.organization_id)
    for member in (owner.api, there):
        assert refusal(member.get, "/v1/platform/me") == (401, "UNAUTHENTICATED")
    assert refusal(operator.api.get, "/v1/tickets") == (401, "UNAUTHENTICATED")
    assert there.get("/v1/tickets")["items"] == []
    assert refusal(there.get, "/v1/me") == (403, "PERMISSION_DENIED")
    body = {"name": "Mine", "permissions": ["bookings.read"]}
    path = f"/v1/organizations/{owner.organization_id}"
    assert refusal(there.post, f"{path}/roles", body) == (403, "PERMISSION_DENIED")
    assert refusal(there.post, f"{path}/api-keys", body) == (403, "PERMISSION_DENIED")


@pytest.fixture(scope="module")
def visit(owner: Owner, operator: Operator) -> Api:
    return operator.enter(owner.organization_id)[0]


@pytest.mark.parametrize("rpc", [pytest.param(rpc, id=rpc.method.name) for rpc in MEMBER_RPCS])
def test_on_every_route_an_operator_may_what_is_written_and_no_more(
    rpc: Rpc, visit: Api, owner: Owner, operator: Operator
) -> None:
    """What may be read answers an operator, who is no user, as it answers others; all else is denied.

    Whatever was let through is in the organization's audit log by then.
    """
    assert rpc.policy is not None
    rule = rpc.method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    path = re.sub(r"{\w+}", "x", getattr(rule, verb))
    answer = visit.request(verb.upper(), path)
    if rpc.policy.permission in permissions.BREAK_GLASS_READ and not rpc.policy.fresh:
        assert answer.status_code in {200, 400, 404}, answer.text
        log = owner.api.get(
            f"/v1/organizations/{owner.organization_id}/audit-entries", action="operator_access.used"
        )
        newest = log["items"][0]
        name = rpc.method.name
        assert json.loads(newest["after"])["call"] == name[0].lower() + name[1:]
        assert newest["request_id"] == answer.headers["x-request-id"]
        assert (newest["actor_kind"], newest["actor_id"]) == ("operator", operator.id)
    else:
        assert (answer.status_code, answer.json()["reason"]) == (403, "PERMISSION_DENIED")


async def test_the_organization_ends_access_and_the_token_is_refused_within_seconds(
    owner: Owner, operator: Operator
) -> None:
    there, access = operator.enter(owner.organization_id)
    assert there.get("/v1/tickets")["items"] == []
    (seen, *_) = owner.api.get("/v1/organization/operator-access")["items"]
    assert seen == access
    owner.api.request("DELETE", f"/v1/organization/operator-access/{access['id']}").raise_for_status()
    assert await eventually(lambda: there.request("GET", "/v1/tickets").status_code == 401, timeout=15)
    audit = f"/v1/organizations/{owner.organization_id}/audit-entries"
    (used, *_) = owner.api.get(audit, target=access["id"], action="operator_access.used")["items"]
    assert json.loads(used["after"]) == {
        "call": "listTickets",
        "touched": [],
        "reason": access["reason"],
        "ticket": access["ticket"],
    }
    verdict = owner.api.get(f"{audit}/verify")
    assert (verdict["intact"], verdict["verified"]) == (True, verdict["newest"])
    renew = f"/v1/platform/accesses/{access['id']}/token"
    assert refusal(operator.api.post, renew) == (409, "OPERATOR_ACCESS_OVER")


async def test_the_command_lists_disables_and_refuses(platform: Platform, api: Api) -> None:
    leaver = new_operator(platform, api, role="support")
    assert f"{leaver.id} {leaver.email} support enrolled" in command(platform, "list").splitlines()
    with pytest.raises(subprocess.CalledProcessError) as refused:
        command(platform, "add", "--email", leaver.email, "--role", "admin")
    assert refused.value.stderr.strip().startswith("OPERATOR_EXISTS")
    command(platform, "disable", "--email", leaver.email)
    assert f"{leaver.id} {leaver.email} support disabled" in command(platform, "list").splitlines()
    assert "within a day" in command(platform, "enrol", "--email", leaver.email)
    me = "/v1/platform/me"
    assert await eventually(lambda: leaver.api.request("GET", me).status_code == 401, timeout=15)
