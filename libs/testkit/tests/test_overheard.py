"""Whatever goes over the wire as a secret is remembered, and found wherever it stands as a word."""

import secrets

import httpx
import pytest

from servicekit import ids
from testkit.overheard import Overheard

PASSWORD, TOKEN, CODE = (secrets.token_urlsafe(18) for _ in range(3))
JWT = ".".join(secrets.token_urlsafe(18) for _ in range(3))


def exchange(overheard: Overheard, *, status: int = 200) -> None:
    """A log-in and what comes of it."""

    def answer(_request: httpx.Request) -> httpx.Response:
        tokens = {"access_token": JWT, "expires_in": 600}
        return httpx.Response(
            status, json={"tokens": tokens, "recovery_codes": [CODE], "id": "usr_" + "x" * 26}
        )

    hooks = {"response": [overheard.listen]}
    with httpx.Client(transport=httpx.MockTransport(answer), event_hooks=hooks) as client:
        sent = client.post(
            f"http://gateway/v1/manage/{TOKEN}/cancel", json={"password": PASSWORD, "email": "a" * 20}
        )
        assert sent.status_code == status


@pytest.fixture
def overheard() -> Overheard:
    heard = Overheard()
    exchange(heard)
    return heard


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f'{{"event":"x","password":"{PASSWORD}"}}', "password"),
        (f"Authorization: Bearer {JWT}", "access_token"),
        (f"GET /v1/manage/{TOKEN}?x=1", "a link"),
        (f"codes=[{CODE}]", "recovery_codes"),
    ],
    ids=["password", "access token", "link", "code"],
)
def test_a_secret_that_was_heard_is_found(overheard: Overheard, line: str, what: str) -> None:
    assert overheard.found_in(f"a line before\n{line}\n".encode()) == {what}


def test_what_is_no_secret_is_not_taken_for_one(overheard: Overheard) -> None:
    assert overheard.found_in(f"{'a' * 20} usr_{'x' * 26} {secrets.token_urlsafe(18)} 600".encode()) == set()


def test_what_was_refused_was_perhaps_never_a_secret_but_what_it_was_sent_with_is(
    overheard: Overheard,
) -> None:
    """A test may send anything as a password; who it was sent by is as secret as ever."""
    refused = Overheard()
    exchange(refused, status=422)
    assert refused.found_in(PASSWORD.encode()) == set()
    assert refused.found_in(TOKEN.encode()) == {"a link"}


async def test_asynchronous_clients_are_heard_as_well() -> None:
    overheard = Overheard()
    hooks = {"response": [overheard.alisten]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"manage_token": TOKEN}))
    async with httpx.AsyncClient(transport=transport, event_hooks=hooks) as client:
        await client.get("http://gateway/", headers={"Authorization": f"bearer {JWT}"})
    assert overheard.found_in(f"{TOKEN} {JWT}".encode()) == {"manage_token", "authorization"}


def test_an_id_in_the_place_of_a_links_secret_is_none() -> None:
    overheard = Overheard()
    entry = ids.show("wle", ids.new())
    overheard.hear("a link", [entry, TOKEN])
    assert overheard.found_in(f"{entry} {TOKEN}".encode()) == {"a link"}
    assert overheard.found_in(entry.encode()) == set()
