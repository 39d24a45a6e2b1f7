"""Dated versions: which one a call gets, what is said of it, and how changes add up and are undone."""

import copy
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.auth.v1 import key_pb2, organization_pb2, organization_pb2_grpc
from gateway.app import open_gateway
from gateway.dated import CHANGES, Calendar, Chain, Change, Dated, Reply, overview
from gateway.dated.chain import Json, newer, older
from gateway.errors import MalformedRequest, UnknownVersion, VersionGone
from gateway.http import Answer, Request
from gateway.limits import RateLimited
from gateway.openapi import OPERATIONS
from gateway.routes import routes
from gateway.settings import LimitSettings
from servicekit import ids
from servicekit.api_keys import ApiKeyText
from servicekit.api_versions import NEWEST, VERSIONS
from servicekit.errors import AppError
from testkit.edge import Edge
from testkit.keys import Keys

from .conftest import AccessTokens, Backend, made_settings
from .directories import directories

OLD = VERSIONS[0]
SEARCH = "/v1/venues/ven_1/availability?date=2027-10-31&party_size=2"
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]

# Three versions of a toy: "name" was split in two, then the number of rooms became a list of rooms.
TOY = ("2001-01-01", "2002-02-02", "2003-03-03")


def _split(document: Json) -> Json:
    assert isinstance(document, dict)
    first, _, last = str(document.pop("name")).partition(" ")
    return document | {"first": first, "last": last}


def _join(reply: Reply) -> Reply:
    assert isinstance(reply.document, dict)
    document = reply.document
    name = f"{document.pop('first')} {document.pop('last')}"
    return replace(reply, document=document | {"name": name})


def _list(document: Json) -> Json:
    assert isinstance(document, dict)
    count = document.pop("rooms")
    assert isinstance(count, int)
    return document | {"rooms": [{"of": str(document["last"])} for _ in range(count)]}


def _count(reply: Reply) -> Reply:
    assert isinstance(reply.document, dict)
    rooms = reply.document["rooms"]
    assert isinstance(rooms, list)
    return Reply(201, reply.document | {"rooms": len(rooms)})


TOYS = (
    Change(date=TOY[2], operations=frozenset({"toy"}), summary="Rooms.", request=_list, reply=_count),
    Change(date=TOY[1], operations=frozenset({"toy"}), summary="Names.", request=_split, reply=_join),
    Change(date=TOY[2], operations=frozenset({"other"}), summary="Others."),
)


class Members(organization_pb2_grpc.MemberServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def RemoveMember(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, organization_pb2.RemoveMemberResponse(api_keys=2))


class Unpinned:
    """Nobody comes with a key."""

    async def admitted(self, _request: Request) -> None:
        pass

    async def pinned(self, _request: Request) -> str:
        return ""

    def last_pinned(self, _authorization: bytes) -> str:
        return ""


class OverQuota(Unpinned):
    """Nobody may come any more."""

    async def admitted(self, _request: Request) -> None:
        raise RateLimited


@pytest.fixture(scope="module")
async def gateway(
    keys: Keys, backends: Backend, access: AccessTokens, unused_target: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway before an auth that removes members."""
    auth = await Edge.start(
        "auth",
        keys,
        [
            lambda s: organization_pb2_grpc.add_MemberServiceServicer_to_server(Members(backends), s),
            *directories(backends, access.key),
        ],
    )
    names = ("booking", "payment", "notification", "support", "analytics")
    targets = dict.fromkeys(names, unused_target) | {"auth": f"127.0.0.1:{auth.port}"}
    async with open_gateway(made_settings(keys.directory, targets), lambda: True) as edge:
        transport = httpx.ASGITransport(app=edge, client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client
    await auth.stop()


def member(access: AccessTokens) -> str:
    organization, user = ids.show("org", access.organization), ids.show("usr", ids.new())
    return f"/v1/organizations/{organization}/members/{user}"


def key(backend: Backend, *, pinned: str = "") -> dict[str, str]:
    """The header of a key that auth knows."""
    text = ApiKeyText.make(sandbox=False).show()
    answer = key_pb2.ExchangeKeyResponse(
        organization_id=ids.new().bytes,
        key_id=ids.new().bytes,
        permissions=["bookings.read"],
        pinned_version=pinned,
    )
    answer.until.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    backend.keys[text] = answer
    return {"Authorization": f"Bearer {text}"}


def test_every_change_is_of_a_version_that_follows_another_and_about_operations_that_there_are() -> None:
    known = {route.operation_id for route in routes()} | {*OPERATIONS.values()}
    for change in CHANGES:
        assert change.date in VERSIONS[1:]
        assert change.operations
        assert change.operations <= known
        assert change.summary.endswith(".")


async def test_removing_a_member_answers_as_the_version_says(
    gateway: httpx.AsyncClient, backend: Backend, access: AccessTokens
) -> None:
    path, bearer = member(access), access.bearer()
    for headers in ({}, {"Comptoir-Version": NEWEST}):
        answer = await gateway.delete(path, headers=bearer | headers)
        assert (answer.status_code, answer.json()) == (200, {"api_keys": 2})
        assert answer.headers["comptoir-version"] == NEWEST
        assert not {"deprecation", "sunset", "link"} & set(answer.headers)
    answer = await gateway.delete(path, headers=bearer | {"Comptoir-Version": OLD})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert answer.headers["comptoir-version"] == OLD
    assert answer.headers["deprecation"] == "@1793491200"
    assert answer.headers["sunset"] == "Mon, 01 Nov 2027 00:00:00 GMT"
    assert 'rel="deprecation"' in answer.headers["link"]
    assert 'rel="sunset"' in answer.headers["link"]
    assert backend.calls == 3


async def test_an_old_version_without_a_change_gets_the_answer_of_today(client: httpx.AsyncClient) -> None:
    today = await client.get(SEARCH, headers={"Comptoir-Version": NEWEST})
    before = await client.get(SEARCH, headers={"Comptoir-Version": OLD})
    assert (today.status_code, today.content) == (before.status_code, before.content)
    assert today.headers["comptoir-version"] == NEWEST
    assert before.headers["comptoir-version"] == OLD


@pytest.mark.parametrize("version", ["2026-10-31", "2999-01-01", "1", "", f"{NEWEST}, {NEWEST}", "é"])
async def test_a_version_that_there_is_not_is_refused_with_those_that_there_are(
    client: httpx.AsyncClient, backend: Backend, problem: Problem, version: str
) -> None:
    answer = await client.get(SEARCH, headers=[(b"comptoir-version", version.encode())])
    body = problem(answer, 400, "UNKNOWN_VERSION")
    assert body["metadata"] == {"known_versions": " ".join(VERSIONS)}
    assert all(each in body["detail"] for each in VERSIONS)
    assert answer.headers["comptoir-version"] == NEWEST
    assert backend.calls == 0


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_operations_by_hand_are_dated_like_those_of_the_contract(
    client: httpx.AsyncClient, problem: Problem, method: str, path: str
) -> None:
    unknown = await client.request(method, path, headers={"Comptoir-Version": "1999-01-01"})
    problem(unknown, 400, "UNKNOWN_VERSION")
    for asked, answered in ((OLD, OLD), (NEWEST, NEWEST), (None, NEWEST)):
        headers = {"Comptoir-Version": asked} if asked else {}
        answer = await client.request(method, path, headers=headers)
        assert answer.headers["comptoir-version"] == answered
        assert ("sunset" in answer.headers) == (answered == OLD)


async def test_refusals_say_their_version_too(gateway: httpx.AsyncClient, access: AccessTokens) -> None:
    answer = await gateway.delete(member(access), headers={"Comptoir-Version": OLD})
    assert answer.status_code == 401
    assert (answer.headers["comptoir-version"], answer.headers["deprecation"]) == (OLD, "@1793491200")


async def test_what_shared_caches_may_keep_varies_with_the_version() -> None:
    now = datetime(2002, 3, 1, tzinfo=UTC)
    for cached in (True, False):
        route = dated(lambda document: Reply(200, document), now=now, cached=cached)
        headers = route.finish(asked(b"", TOY[2]), Answer(200, ((b"vary", b"authorization"),))).headers
        assert ((b"vary", b"comptoir-version") in headers) is cached
        assert (b"vary", b"authorization") in headers


async def test_a_key_is_pinned_on_first_use_and_a_header_goes_before_its_pin(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    path = f"/v1/bookings/{ids.show('bkg', ids.new())}"
    for pinned, served in (("", NEWEST), (OLD, OLD), ("2999-01-01", NEWEST)):
        headers = key(backend, pinned=pinned)
        for _ in range(2):
            answer = await client.get(path, headers=headers)
            assert (answer.status_code, answer.headers["comptoir-version"]) == (200, served)
        text = headers["Authorization"].removeprefix("Bearer ")
        assert backend.keys[text].pinned_version == (pinned or NEWEST)
        for version in VERSIONS:
            answer = await client.get(path, headers=headers | {"Comptoir-Version": version})
            assert answer.headers["comptoir-version"] == version


async def test_a_key_pinned_to_an_old_version_is_answered_as_of_then(
    gateway: httpx.AsyncClient, backend: Backend, access: AccessTokens
) -> None:
    # Removing members wants fresh credentials, which no key has: its refusal says the version all the same.
    answer = await gateway.delete(member(access), headers=key(backend, pinned=OLD))
    assert (answer.status_code, answer.headers["comptoir-version"]) == (403, OLD)


async def test_the_versions_are_listed_with_what_they_changed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/versions")
    assert answer.json() == overview(Calendar(), CHANGES)
    newest, oldest = answer.json()["versions"]
    assert newest["version"] == answer.json()["newest"] == NEWEST
    assert newest["deprecated_at"] is None
    assert newest["changes"][0]["operations"] == ["removeMember"]
    assert (oldest["deprecated_at"], oldest["sunset_at"]) == ("2026-11-01T00:00:00Z", "2027-11-01T00:00:00Z")


def test_a_version_ends_twelve_months_after_the_next_one_came_even_in_leap_years() -> None:
    releases = Calendar(("2027-01-01", "2028-02-29", "2028-03-31")).releases
    assert releases["2027-01-01"].sunset_at == datetime(2029, 2, 28, tzinfo=UTC)
    assert releases["2028-02-29"].sunset_at == datetime(2029, 3, 31, tzinfo=UTC)
    assert releases["2028-03-31"].sunset_at is None
    with pytest.raises(ValueError, match="ascending"):
        Calendar(("2028-01-01", "2027-01-01"))


def dated(
    serve: Callable[[Json], Reply],
    *,
    now: datetime,
    cached: bool = False,
    pins: Unpinned | None = None,
) -> Dated:
    """The toy's route."""

    async def answer(request: Request, _variables: Sequence[str]) -> Answer:
        body = await request.body(limit=10_000, seconds=1)
        assert int(request.headers[b"content-length"]) == len(body)
        if body == b"[":
            raise MalformedRequest
        reply = serve(orjson.loads(body))
        return Answer(reply.status, ((b"content-type", b"application/json"),), orjson.dumps(reply.document))

    calendar = Calendar(TOY, clock=now.timestamp)
    chain = Chain("toy", TOYS, TOY)
    return Dated(answer, chain, calendar, pins=pins or Unpinned(), limits=LimitSettings(), cached=cached)


def asked(body: bytes, version: str) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    headers = {b"comptoir-version": version.encode(), b"content-length": b"%d" % len(body)}
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers.items()}
    return Request.of(scope, receive, trusted_proxies=0)


async def test_after_its_sunset_a_version_is_refused_and_not_a_second_before() -> None:
    ends = datetime(2003, 2, 2, tzinfo=UTC)
    before = dated(lambda document: Reply(200, document), now=ends - timedelta(seconds=1))
    after = dated(lambda document: Reply(200, document), now=ends)
    request = asked(b'{"name": "Ada Byron", "rooms": 0}', TOY[0])
    assert (await before.handle(request, ())).status == 201
    with pytest.raises(VersionGone):
        await after.handle(request, ())
    assert dict(after.finish(request, Answer(410)).headers)[b"comptoir-version"] == TOY[0].encode()
    with pytest.raises(UnknownVersion):
        await after.handle(asked(b"", "2004-04-04"), ())


@pytest.mark.parametrize("version", [TOY[0], TOY[1], "2004-04-04"])
async def test_quotas_come_before_a_version_is_refused_and_before_a_body_is_read_to_be_turned(
    version: str,
) -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError

    now = datetime(2003, 2, 2, tzinfo=UTC)
    route = dated(lambda document: Reply(200, document), now=now, pins=OverQuota())
    with pytest.raises(RateLimited):
        await route.handle(replace(asked(b"{}", version), receive=never), ())


async def test_requests_and_answers_are_turned_and_what_cannot_be_read_is_left_to_the_route() -> None:
    seen: list[Json] = []

    def serve(document: Json) -> Reply:
        seen.append(copy.deepcopy(document))
        return Reply(200, document)

    route = dated(serve, now=datetime(2002, 3, 1, tzinfo=UTC))
    for version, body in (
        (TOY[0], {"name": "Ada Byron", "rooms": 2}),
        (TOY[1], {"first": "Ada", "last": "Byron", "rooms": 2}),
        (TOY[2], {"first": "Ada", "last": "Byron", "rooms": [{"of": "Byron"}, {"of": "Byron"}]}),
    ):
        answer = await route.handle(asked(orjson.dumps(body), version), ())
        assert orjson.loads(answer.body) == body
        assert answer.status == (200 if version == TOY[2] else 201)
        assert seen.pop() == {"first": "Ada", "last": "Byron", "rooms": [{"of": "Byron"}] * 2}
    with pytest.raises(AppError) as refused:
        await route.handle(asked(b"[", TOY[0]), ())
    assert isinstance(refused.value, MalformedRequest)


@given(
    first=st.text(st.characters(exclude_characters=" ", exclude_categories=("Cs",))),
    last=st.text(st.characters(exclude_categories=("Cs",))),
    rooms=st.integers(0, 5),
)
def test_changes_compose_and_an_old_caller_reads_what_it_wrote(first: str, last: str, rooms: int) -> None:
    """From the oldest to the newest is the same in one go as version by version, there and back."""
    old: Json = {"name": f"{first} {last}", "rooms": rooms}
    chain = Chain("toy", TOYS, TOY)
    whole, late = chain.steps(TOY[0]), chain.steps(TOY[1])
    early = [each for each in whole if each not in late]
    assert [each.date for each in whole] == [TOY[1], TOY[2]]
    assert chain.steps(TOY[2]) == ()
    at_once = newer(copy.deepcopy(old), whole)
    assert at_once == newer(newer(copy.deepcopy(old), early), late)
    back = older(Reply(200, copy.deepcopy(at_once)), whole)
    assert back == older(older(Reply(200, copy.deepcopy(at_once)), late), early)
    assert back == Reply(201, old)
