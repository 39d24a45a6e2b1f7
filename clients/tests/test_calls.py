"""How both clients call, repeat and fail, against a server that answers what each test wants."""

import json
from itertools import pairwise

import pytest

from servicekit.api_versions import NEWEST

from .conftest import Driver, Reply, Scripted, Wish

BOOK = Wish("createBooking", {"body": {"venue_id": "ven_1", "offering_id": "off_1", "party_size": 2}})
READ = Wish("getBooking", {"booking_id": "bkg_1"})
# A POST that only reads, and so honours no Idempotency-Key.
UNKEYED = Wish("findSso", {"body": {"email": "a@a.example"}})
LONG_FOR_A_CLIENT = 6


def problem(status: int, reason: str, **headers: str) -> Reply:
    body = {"type": "about:blank", "title": "No", "status": status, "detail": "Not now.", "reason": reason}
    more = {"errors": [], "request_id": "req_1"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body | more, {"content-type": "application/problem+json"} | named)


def keys(scripted: Scripted) -> list[str | None]:
    return [seen.headers.get("idempotency-key") for seen in scripted.seen]


def test_a_call_says_version_token_and_body(drive: Driver, scripted: Scripted) -> None:
    scripted.replies = [Reply(201, {"manage_token": "m"})]
    done = drive([BOOK], url=scripted.url + "/", token="t-1")
    assert done.outcomes == [{"came": {"manage_token": "m"}}]
    (seen,) = scripted.seen
    assert (seen.method, seen.target) == ("POST", "/v1/bookings")
    assert json.loads(seen.body) == BOOK.call["body"]
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["comptoir-version"] == NEWEST
    assert seen.headers["authorization"] == "Bearer t-1"


def test_without_a_token_a_call_is_anonymous(drive: Driver, scripted: Scripted) -> None:
    drive([READ], url=scripted.url)
    assert "authorization" not in scripted.seen[0].headers


def test_parameters_are_escaped_and_absent_ones_left_out(drive: Driver, scripted: Scripted) -> None:
    search = {"venue_id": "a/b?c#d é", "date": "2027-01-02", "party_size": 2, "attributes": ["x y", "z&w"]}
    drive([Wish("searchAvailability", search)], url=scripted.url)
    assert scripted.seen[0].target == (
        "/v1/venues/a%2Fb%3Fc%23d%20%C3%A9/availability"
        "?date=2027-01-02&party_size=2&attributes=x+y&attributes=z%26w"
    )


@pytest.mark.parametrize("booking_id", ["", ".", ".."])
def test_a_parameter_that_leads_to_another_path_is_never_sent(
    drive: Driver, scripted: Scripted, booking_id: str
) -> None:
    done = drive([Wish("getBooking", {"booking_id": booking_id})], url=scripted.url)
    assert done.outcomes == [{"refused": True}]
    assert scripted.seen == []


def test_each_change_has_a_key_of_its_own_unless_one_is_given(drive: Driver, scripted: Scripted) -> None:
    given = Wish(BOOK.name, {**BOOK.call, "idempotencyKey": "mine"})
    drive([BOOK, BOOK, given, READ, UNKEYED], url=scripted.url)
    first, second, third, *none = keys(scripted)
    assert first
    assert second
    assert first != second
    assert len(first) >= len("0123456789abcdef" * 2)
    assert third == "mine"
    assert none == [None, None]


def test_if_match_is_sent_where_it_is_honoured(drive: Driver, scripted: Scripted) -> None:
    scripted.replies = [Reply(headers={"etag": '"7"'})]
    renaming = {"organization_id": "org_1", "body": {"name": "New"}, "ifMatch": '"7"'}
    done = drive([Wish("updateOrganization", renaming)], url=scripted.url)
    assert scripted.seen[0].headers["if-match"] == '"7"'
    assert done.etags == ['"7"']


@pytest.mark.parametrize("first", [Reply(None), Reply(502), Reply(503), Reply(504)])
def test_what_cannot_do_harm_is_repeated_once_with_the_same_key(
    drive: Driver, scripted: Scripted, first: Reply
) -> None:
    scripted.replies = [first, Reply(201, {"manage_token": "m"})]
    done = drive([BOOK], url=scripted.url)
    assert done.outcomes == [{"came": {"manage_token": "m"}}]
    assert len(scripted.seen) == 2
    assert len(set(keys(scripted))) == 1
    assert all(one.body == other.body for one, other in pairwise(scripted.seen))
    assert len(done.pauses) == 1
    assert 0 < done.pauses[0] < 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_it_is_repeated_once_and_no_more(drive: Driver, scripted: Scripted, status: int) -> None:
    scripted.replies = [problem(status, "UNAVAILABLE")] * 3
    done = drive([READ], url=scripted.url)
    assert done.outcomes[0]["problem"]["status"] == status
    assert len(scripted.seen) == 2


@pytest.mark.parametrize("first", [Reply(None), Reply(502), Reply(503), Reply(504)])
def test_a_post_without_a_key_is_not_repeated_when_it_may_have_been_done(
    drive: Driver, scripted: Scripted, first: Reply
) -> None:
    scripted.replies = [first]
    done = drive([UNKEYED], url=scripted.url)
    assert "came" not in done.outcomes[0]
    assert len(scripted.seen) == 1


def test_no_answer_at_all_is_unreachable(drive: Driver, scripted: Scripted) -> None:
    scripted.replies = [Reply(None), Reply(None)]
    assert drive([BOOK], url=scripted.url).outcomes == [{"unreachable": True}]
    assert len(scripted.seen) == 2


@pytest.mark.parametrize("wish", [BOOK, READ, UNKEYED], ids=lambda wish: wish.name)
def test_a_used_up_quota_is_waited_for(drive: Driver, scripted: Scripted, wish: Wish) -> None:
    scripted.replies = [problem(429, "TOO_MANY_REQUESTS", retry_after="2"), Reply(200)]
    done = drive([wish], url=scripted.url)
    assert done.outcomes == [{"came": {}}]
    assert done.pauses == [2]


def test_a_quota_that_lasts_longer_is_the_callers_matter(drive: Driver, scripted: Scripted) -> None:
    scripted.replies = [problem(429, "TOO_MANY_REQUESTS", retry_after=str(LONG_FOR_A_CLIENT))]
    done = drive([READ], url=scripted.url)
    assert done.outcomes[0]["problem"]["retry_after"] == LONG_FOR_A_CLIENT
    assert done.pauses == []


def test_the_answer_to_a_call_in_flight_is_asked_for_again(drive: Driver, scripted: Scripted) -> None:
    scripted.replies = [problem(409, "IDEMPOTENCY_KEY_IN_FLIGHT", retry_after="1"), Reply(201)]
    assert drive([BOOK], url=scripted.url).outcomes == [{"came": {}}]
    assert len(set(keys(scripted))) == 1


@pytest.mark.parametrize(("status", "reason"), [(409, "SLOT_TAKEN"), (404, "NOT_FOUND"), (500, "INTERNAL")])
def test_other_refusals_stand(drive: Driver, scripted: Scripted, status: int, reason: str) -> None:
    scripted.replies = [problem(status, reason)]
    assert drive([BOOK], url=scripted.url).outcomes[0]["problem"]["reason"] == reason
    assert len(scripted.seen) == 1


def test_a_problem_says_everything(drive: Driver, scripted: Scripted) -> None:
    body = {
        "type": "about:blank",
        "title": "Invalid",
        "status": 400,
        "detail": "Look at errors.",
        "reason": "INVALID_REQUEST",
        "errors": [{"pointer": "/guest/name", "message": "is missing"}],
        "request_id": "req_9",
        "metadata": {"version": "7"},
    }
    scripted.replies = [Reply(400, body)]
    assert drive([BOOK], url=scripted.url).outcomes[0]["problem"] == {
        "status": 400,
        "reason": "INVALID_REQUEST",
        "detail": "Look at errors.",
        "request_id": "req_9",
        "metadata": {"version": "7"},
        "errors": [["/guest/name", "is missing"]],
        "retry_after": None,
    }


@pytest.mark.parametrize(
    "content", [b"<html>Bad</html>", b"", b"[]", b'{"reason": 7, "errors": {}}', b"\xff"]
)
def test_what_answers_no_problem_has_no_reason(drive: Driver, scripted: Scripted, content: bytes) -> None:
    scripted.replies = [Reply(400, content)]
    refused = drive([BOOK], url=scripted.url).outcomes[0]["problem"]
    assert (refused["status"], refused["reason"], refused["errors"]) == (400, "", [])


def test_a_redirection_is_not_followed(drive: Driver, scripted: Scripted) -> None:
    """It could carry the token elsewhere."""
    scripted.replies = [Reply(307, headers={"location": f"{scripted.url}/elsewhere"})] * 2
    assert "came" not in drive([READ], url=scripted.url, token="t-1").outcomes[0]
    assert {seen.target for seen in scripted.seen} == {"/v1/bookings/bkg_1"}


def test_files_and_calendars_come_as_they_are(drive: Driver, scripted: Scripted) -> None:
    scripted.replies = [Reply(200, b"PK.."), Reply(200, b"BEGIN:VCALENDAR"), Reply(204, b"")]
    wishes = [
        Wish("downloadMyData", {"export_id": "exp_1"}),
        Wish("getManagedCalendar", {"token": "abc"}),
        Wish("deleteOrigin", {"organization_id": "org_1", "origin_id": "ori_1"}),
    ]
    done = drive(wishes, url=scripted.url)
    assert done.outcomes == [{"came": "PK.."}, {"came": "BEGIN:VCALENDAR"}, {"came": None}]
