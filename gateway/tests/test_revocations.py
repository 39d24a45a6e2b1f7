"""Tokens of sessions that are over, and what else of a token and a request reaches the services."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway.revocations import Revocations
from servicekit import ids
from servicekit.errors import Unauthenticated, Unavailable
from servicekit.identity import Caller, CallerKind
from testkit import eventually

BOOKING = f"/v1/bookings/{ids.show('bkg', ids.new())}"
MEMBER = Caller(CallerKind.MEMBER, "gateway", organization=ids.new(), user=ids.new(), session=ids.new())


class Auth:
    """What auth would answer, and what it was asked."""

    def __init__(self) -> None:
        self.revoked: set[UUID] = set()
        self.down = False
        self.asked: list[float | None] = []

    async def fetch(self, since: float | None) -> tuple[set[UUID], float]:
        self.asked.append(since)
        if self.down:
            raise Unavailable
        return self.revoked, 1000.0


async def test_a_revoked_session_is_refused_and_stays_so_while_auth_is_down() -> None:
    auth = Auth()
    revocations = Revocations(auth.fetch)
    await revocations.refresh()
    revocations.refuse(MEMBER)
    assert MEMBER.session
    auth.revoked = {MEMBER.session}
    revocations.refuse(MEMBER)
    await revocations.refresh()
    auth.down, auth.revoked = True, set()
    await revocations.refresh()
    with pytest.raises(Unauthenticated):
        revocations.refuse(MEMBER)
    revocations.refuse(replace(MEMBER, session=ids.new()))


async def test_a_revoked_key_is_refused_too() -> None:
    auth, key = Auth(), ids.new()
    auth.revoked = {key}
    revocations = Revocations(auth.fetch)
    await revocations.refresh()
    with pytest.raises(Unauthenticated):
        revocations.refuse(replace(MEMBER, session=None, key=key))
    revocations.refuse(replace(MEMBER, session=None))


async def test_only_the_first_question_is_for_everything_and_the_others_overlap() -> None:
    auth = Auth()
    auth.down = True
    revocations = Revocations(auth.fetch)
    await revocations.refresh()
    auth.down = False
    for _ in range(2):
        await revocations.refresh()
    assert auth.asked == [None, None, 970.0]


async def test_what_no_token_can_outlive_is_forgotten() -> None:
    auth, now = Auth(), [0.0]
    assert MEMBER.session
    auth.revoked = {MEMBER.session}
    revocations = Revocations(auth.fetch, clock=lambda: now[0])
    await revocations.refresh()
    auth.revoked, now[0] = set(), 3605.0
    await revocations.refresh()
    with pytest.raises(Unauthenticated):
        revocations.refuse(MEMBER)
    now[0] = 3701.0
    await revocations.refresh()
    revocations.refuse(MEMBER)


async def test_an_answer_that_cannot_be_read_changes_nothing() -> None:
    auth = Auth()
    assert MEMBER.session
    auth.revoked = {MEMBER.session}
    revocations = Revocations(auth.fetch)
    await revocations.refresh()

    async def broken(_since: float | None) -> tuple[list[UUID], float]:
        return [UUID(bytes=b"short")], 0

    revocations._fetch = broken
    await revocations.refresh()
    with pytest.raises(Unauthenticated):
        revocations.refuse(MEMBER)


async def test_a_token_that_was_believed_is_refused_soon_after_its_session_ended(
    client: httpx.AsyncClient, backend: Any, access: Any, problem: Callable[..., Any]
) -> None:
    session = ids.new()
    mine, another = access.bearer(sid=str(session)), access.bearer()
    assert (await client.get(BOOKING, headers=mine)).status_code == 200
    backend.revoked = {session}

    async def refused() -> bool:
        return (await client.get(BOOKING, headers=mine)).status_code == 401

    assert await eventually(refused)
    problem(await client.get(BOOKING, headers=mine), 401, "UNAUTHENTICATED")
    assert (await client.get(BOOKING, headers=another)).status_code == 200


async def test_the_services_learn_all_that_the_token_says(
    client: httpx.AsyncClient, backend: Any, access: Any
) -> None:
    venue = ids.new()
    token = access.bearer(
        scope="bookings.read custom.permission",
        auth_time=1_795_000_000,
        amr=["pwd", "otp"],
        ven=[str(venue)],
        sbx=True,
    )
    assert (await client.post("/v1/auth/logout", headers=token)).status_code == 204
    assert backend.caller.permissions == {"bookings.read", "custom.permission"}
    assert backend.caller.authenticated_at == 1_795_000_000
    assert backend.caller.methods == {"pwd", "otp"}
    assert backend.caller.venues == {venue}
    assert backend.caller.sandbox is True
    assert (await client.post("/v1/auth/logout", headers=access.bearer())).status_code == 204
    assert (backend.caller.venues, backend.caller.sandbox, backend.caller.operator) == (None, False, None)


async def test_no_header_of_a_client_says_who_it_is(
    client: httpx.AsyncClient, backend: Any, access: Any
) -> None:
    headers = {
        "comptoir-identity": "forged",
        "comptoir-user-agent": "forged",
        "X-User-Id": str(ids.new()),
        "X-Tenant-Id": str(ids.new()),
        "User-Agent": "Mozilla/5.0 (X11; Linux)",
    }
    assert (await client.get(BOOKING, headers=access.bearer() | headers)).status_code == 200
    assert backend.caller.user == access.user
    assert "forged" not in backend.metadata.values()
    assert not any("x-user" in name or "x-tenant" in name for name in backend.metadata)


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [(b"Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (X11; Linux)"), (b"a\xe9\tb", "ab"), (b"x" * 999, "x" * 256)],
)
async def test_where_secrets_are_checked_the_device_is_told(
    client: httpx.AsyncClient, backend: Any, sent: bytes, arrives: str
) -> None:
    backend.answer = None
    login = {"email": "paulette@example.org", "password": "seven herons"}  # pragma: allowlist secret
    answer = await client.post("/v1/auth/login", json=login, headers={b"User-Agent": sent})
    assert answer.status_code == 200
    assert backend.metadata["comptoir-user-agent"] == arrives
