"""Nobody can put an answer where others look for theirs, however they word the request."""

from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.settings import Settings
from servicekit.api_versions import VERSIONS
from testkit.keys import Keys

from .kept_answers import VENUE, Scene, notes, scene, status

BASE = f"/v1/venues/{VENUE}/availability"
PLAIN = f"{BASE}?date=2027-10-31&party_size=2"


@pytest.fixture
async def kept(settings: Settings, keys: Keys, redis_url: str) -> AsyncIterator[Scene]:
    async with scene(settings, keys, redis_url) as opened:
        yield opened


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Scheme": "http"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "host=evil.example"},
        {"X-Original-URL": "/v1/venues/evil"},
        {"X-Rewrite-URL": "/v1/venues/evil"},
        {"X-HTTP-Method-Override": "POST"},
        {"X-Organization-Id": "org_1"},
        {"Cookie": "session=evil"},
        {"Origin": "https://evil.example"},
        {"Accept-Language": "evil"},
        {"Accept-Encoding": "evil"},
        {"Range": "bytes=0-1"},
        {"Cache-Control": "no-store"},
        {"X-Request-Id": "evil-request-id"},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        {"Accept": "text/evil"},
        {"Comptoir-Session": "cookie"},
        {"Comptoir-Identity": "evil"},
        {"Content-Type": "text/evil"},
        {"If-Match": '"evil"'},
        {"If-None-Match": '"evil"'},
        {"Idempotency-Key": "evil"},
        {"X-Forwarded-Prefix": "/evil"},
        {"Comptoir-Version": VERSIONS[-1]},
    ],
    ids=lambda header: next(iter(header)),
)
async def test_headers_leave_nothing_behind(kept: Scene, header: dict[str, str]) -> None:
    poisoned = await kept.client.get(PLAIN, headers=header)
    clean = await kept.client.get(PLAIN)
    assert (status(poisoned).partition(";")[0], status(clean)) == ("comptoir", "comptoir; hit")
    assert b"evil" not in clean.content
    assert not [value for name, value in clean.headers.items() if "evil" in value and name != "x-request-id"]
    assert clean.headers["x-request-id"] != "evil-request-id"
    assert "set-cookie" not in clean.headers
    names = {each.lower() for each, _ in clean.headers.multi_items()}
    assert names == {each.lower() for each, _ in poisoned.headers.multi_items()}


@pytest.mark.parametrize(
    "query",
    [
        "date=2027-10-31&date=2027-11-01&party_size=2",
        "date=2027-10-31&party_size=2&party_size=3",
        "Date=2027-10-31&party_size=2",
        "DATE=2027-10-31&date=2027-10-31&party_size=2",
        "date=2027-10-31&party_size=2&utm_source=evil",
        "date=2027-10-31&party_size=2&venue_id=ven_1",
        "date=2027-10-31&party_size=2&callback=evil",
        "date=2027-10-31;party_size=2",
        "date=2027-10-31&party_size=2%00",
        "date=2027-10-31&party_size=%zz",
        "date[]=2027-10-31&party_size=2",
    ],
)
async def test_a_query_that_could_be_read_in_two_ways_is_refused_and_not_kept(
    kept: Scene, query: str
) -> None:
    assert (await kept.client.get(f"{BASE}?{query}")).status_code == 400
    assert not [name async for name in kept.redis.scan_iter("edge:answer:*")]


@pytest.mark.parametrize(
    "other",
    [
        "party_size=2&date=2027-10-31",
        "&date=2027-10-31&&party_size=2&",
        "date=%32027-10-31&party_size=2",
        "d%61te=2027-10-31&party_size=2",
        "date=2027-10-31&party_size=2&area_id=",
    ],
)
async def test_other_spellings_of_a_request_are_that_request(kept: Scene, other: str) -> None:
    first = await kept.client.get(PLAIN)
    second = await kept.client.get(f"{BASE}?{other}")
    assert (status(second), second.content) == ("comptoir; hit", first.content)


@pytest.mark.parametrize("header", [{"If-None-Match": "*"}, {"Comptoir-Version": VERSIONS[0]}], ids=str)
async def test_who_asks_for_less_or_for_before_leaves_the_whole_answer_of_today(
    kept: Scene, header: dict[str, str]
) -> None:
    """What is kept is what the service said: an empty 304 and an old version are made of it."""
    odd = await kept.client.get(PLAIN, headers=header)
    clean = await kept.client.get(PLAIN)
    assert odd.status_code in {200, 304}
    assert (clean.status_code, status(clean)) == (200, "comptoir; hit")
    assert notes(clean)[1] == "answer 1"
    assert clean.headers["comptoir-version"] == VERSIONS[-1]


@pytest.mark.parametrize("credentials", ["Bearer evil", "Basic ZXZpbDpldmls", "evil", "Bearer cpt_live_evil"])
async def test_no_refusal_of_credentials_is_given_to_others(kept: Scene, credentials: str) -> None:
    refused = await kept.client.get(PLAIN, headers={"authorization": credentials})
    assert refused.status_code == 401
    assert [name async for name in kept.redis.scan_iter("edge:answer:*")] == []
    assert (await kept.client.get(PLAIN)).status_code == 200


async def test_a_body_beside_the_query_says_nothing(kept: Scene) -> None:
    """A "fat GET": whatever it holds, the answer is the one to the query, for everybody."""
    for content in (b'{"party_size":9}', b"party_size=9&date=2027-11-01", b"\x00" * 100):
        fat = await kept.client.request("GET", PLAIN, content=content, headers={"x-http-method": "PUT"})
        assert notes(fat)[0].endswith("party_size=2")
    assert kept.booking.asked == [notes(await kept.client.get(PLAIN))[0]]


async def test_head_keeps_what_get_wants(kept: Scene) -> None:
    assert (await kept.client.head(PLAIN)).content == b""
    answer = await kept.client.get(PLAIN)
    assert (status(answer), notes(answer)[1]) == ("comptoir; hit", "answer 1")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE", "BAN"])
async def test_no_other_method_reads_keeps_or_purges(kept: Scene, method: str) -> None:
    await kept.client.get(PLAIN)
    other = await kept.client.request(method, PLAIN, json={})
    assert other.status_code in {204, 404, 405}
    assert (status(await kept.client.get(PLAIN)), len(kept.booking.asked)) == ("comptoir; hit", 1)


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/",
        f"/{BASE}",
        f"/v1%2Fvenues/{VENUE}/availability",
        f"/v1/venues/{VENUE}%2Favailability",
        f"/v1/venues/{VENUE}/availability;evil",
        f"/v1/venues/{VENUE};evil/availability",
        f"/v1/venues/{VENUE}%00/availability",
        f"/v1/venues/{VENUE}%0a/availability",
        f"/v1/venues/{VENUE}.css/availability",
        f"/v1/venues/{VENUE}/availability.css",
        f"/V1/venues/{VENUE}/availability",
        f"/v1/venues/{VENUE.upper()}/availability",
    ],
)
async def test_another_path_is_another_thing(kept: Scene, path: str) -> None:
    """No path is read in two ways: what is answered to an odd one, or kept for it, nobody else gets."""
    request = httpx.Request("GET", f"http://gateway{PLAIN}")
    request.url = request.url.copy_with(raw_path=f"{path}?date=2027-10-31&party_size=2".encode())
    assert (await kept.client.send(request)).status_code in {200, 400, 404}
    assert f"venue_id={VENUE} date=2027-10-31 party_size=2" not in kept.booking.asked
    assert status(await kept.client.get(PLAIN)) == "comptoir; fwd=miss; stored"


async def test_a_day_that_is_said_in_another_way_is_not_kept(kept: Scene) -> None:
    """Its tag would be one that no event names."""
    answer = await kept.client.get(f"{BASE}?date=20271031&party_size=2")
    assert answer.status_code == 400
    assert not [name async for name in kept.redis.scan_iter("edge:answer:*")]


def spelled(pairs: list[tuple[str, str]], *, escaped: bool) -> str:
    """A query, plainly or with every character escaped."""
    if not escaped:
        return urlencode(pairs)
    return "&".join(f"{every(name)}={every(value)}" for name, value in pairs)


def every(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


REQUESTS = st.fixed_dictionaries(
    {
        "date": st.sampled_from(["2027-10-30", "2027-10-31"]),
        "party_size": st.sampled_from(["1", "2", "21"]),
        "offering_id": st.sampled_from(["", "a", "A", "a&b", "a=b", "é", "a b", "a+b", "a%20b", "a;b"]),
        "area_id": st.sampled_from(["", "a", "b", "a&offering_id=b"]),
        "attributes": st.lists(st.sampled_from(["window", "bar"]), max_size=2, unique=True),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(st.tuples(REQUESTS, st.randoms(), st.booleans()), min_size=2, max_size=6))
async def test_everybody_gets_the_answer_to_what_they_asked(kept: Scene, wanted: list[tuple]) -> None:  # type: ignore[type-arg]
    """However requests are spelled and in whatever order they come: never another one's answer."""
    for request, random, escaped in wanted:
        pairs = [(name, value) for name, value in request.items() if isinstance(value, str) and value]
        pairs += [("attributes", each) for each in request["attributes"]]
        shuffled = sorted(pairs, key=lambda pair: (random.random(), pair[0] == "attributes"))
        answer = await kept.client.get(f"{BASE}?{spelled(shuffled, escaped=escaped)}")
        assert answer.status_code == 200
        order = [value for name, value in shuffled if name == "attributes"]
        expected = [f"venue_id={VENUE}", f"date={request['date']}", f"party_size={request['party_size']}"]
        expected += [f"{name}={request[name]}" for name in ("offering_id", "area_id") if request[name]]
        expected += [f"attributes={order}"] if order else []
        assert notes(answer)[0] == " ".join(expected)


async def test_the_path_may_be_escaped_too(kept: Scene) -> None:
    first = await kept.client.get(PLAIN)
    request = httpx.Request(
        "GET", f"http://gateway/v1/venues/{every(VENUE)}/availability?{PLAIN.partition('?')[2]}"
    )
    second = await kept.client.send(request)
    assert (status(second), second.content) == ("comptoir; hit", first.content)
    assert quote(VENUE) == VENUE
