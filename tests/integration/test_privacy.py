"""Export and erasure through six services: all is told, then nothing is left, whoever is away or killed.

The guests of these tests say much about themselves, everywhere; what they said is then looked for in every
row of every database and in every record of the broker.
"""

import asyncio
import io
import json
import secrets
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Refused, Sink
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform
from devstack.topology import SERVICES
from testkit import eventually

from . import sweep
from .conftest import new_owner, new_restaurant
from .sweep import PERSON, Planted

_PATIENCE = 90.0
_EXPECTED = {"SUBJECT_HAS_BOOKINGS", "SUBJECT_HAS_OPEN_PAYMENTS"}


@dataclass
class Visitor:
    """Somebody who books, pays, writes, waits and calls it all off."""

    api: Api
    sink: Sink
    owner: Owner
    venue: Venue
    platform: Platform
    evening: int
    mark: str = field(default_factory=lambda: secrets.token_hex(6))
    tokens: list[str] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"erase-{self.mark}@guest.example"

    @property
    def said(self) -> set[str]:
        """What must be nowhere in the end."""
        return {self.email, f"Zenobia {self.mark}", self.phone, f"words {self.mark}", f"note {self.mark}"}

    @property
    def phone(self) -> str:
        return f"+336{int(self.mark, 16) % 10**8:08}"

    @property
    def _guest(self) -> dict[str, Any]:
        dietary = {"words": ["vegan"], "note": f"note {self.mark}"}
        return {"name": f"Zenobia {self.mark}", "email": self.email, "phone": self.phone, "dietary": dietary}

    async def visit(self) -> None:
        """A whole life at the restaurant."""
        made = await asyncio.to_thread(self._book)
        self.tokens.append(made["manage_token"])
        guests.pay(self.platform.engines.stripe.url, made["deposit_payment"]["client_secret"])
        booking = f"/v1/bookings/{made['booking']['id']}"
        await eventually(lambda: self.owner.api.get(booking)["status"] == "confirmed", timeout=_PATIENCE)
        link = f"/v1/manage/{made['manage_token']}"
        words = {"subject": f"words {self.mark}", "text": f"words {self.mark}"}
        ticket = self.api.post(f"{link}/tickets", words)["id"]
        self.owner.api.post(f"/v1/tickets/{ticket}/messages", {"text": f"words {self.mark}, noted"})
        self._wait_in_line()

    def cancel(self) -> None:
        """Calls the visit off; the deposit goes back."""
        for token in self.tokens:
            self.api.post(f"/v1/manage/{token}/cancel", {"reason": f"words {self.mark}"})

    def _book(self) -> Any:
        slots = guests.search(self.api, self.venue, date=self._day, party_size=7)
        wish = {"venue_id": self.venue.id, "offering_id": self.venue.offering_id, "party_size": 7}
        told = {"start": guests.first_start(slots, hour=19), "guest": self._guest}
        return self.api.post("/v1/bookings", wish | told | {"notes": f"note {self.mark}"})

    def _wait_in_line(self) -> None:
        """Ten have one place only: a member of staff takes it for others, so the next ten wait."""
        day = guests.next_service_day(days_ahead=self.evening + 10)
        slots = guests.search(self.api, self.venue, date=day, party_size=10)
        others = Guest("Others", f"others-{self.mark[::-1]}@guest.example")
        start = next(slot["start"] for slot in slots if slot["bookable"])
        guests.book(self.api, self.venue, start=start, party_size=10, guest=others)
        wish = {"venue_id": self.venue.id, "offering_id": self.venue.offering_id, "party_size": 10}
        hours = {"date": start[:10], "earliest": start[11:16], "latest": start[11:16]}
        self.api.post("/v1/waitlist", wish | hours | {"guest": self._guest, "notes": f"note {self.mark}"})

    @property
    def _day(self) -> str:
        return guests.next_service_day(days_ahead=self.evening)

    @property
    def requests(self) -> str:
        return f"/v1/organizations/{self.owner.organization_id}/privacy-requests"

    async def erased(self) -> dict[str, Any]:
        """Asks for the erasure as soon as nothing is open any more."""
        asked: list[dict[str, Any]] = []

        def ask() -> bool:
            try:
                asked.append(self.owner.api.post(self.requests, {"kind": "erase", "email": self.email}))
            except Refused as refusal:
                assert refusal.reason in _EXPECTED  # noqa: PT017
                return False
            return True

        await eventually(ask, timeout=_PATIENCE)
        return asked[-1]

    def read(self, request: dict[str, Any]) -> Any:
        return self.owner.api.get(f"{self.requests}/{request['id']}")

    async def completed(self, request: dict[str, Any]) -> Any:
        """The request with all its receipts."""
        await eventually(lambda: self.read(request)["status"] == "completed", timeout=_PATIENCE)
        found = self.read(request)
        assert {each["service"] for each in found["receipts"]} == set(SERVICES)
        return found

    async def nowhere(self) -> None:
        """Not in a row of any database, nor in a record of any topic."""
        planted = {Planted(PERSON, "what was said", text) for text in self.said}
        rows = await sweep.tables(self.platform)
        left = {
            f"{each.text} in {place.name}"
            for place in rows
            for each in planted
            if each.text.encode() in place.content
        }
        assert left == set()
        records = [place async for place in sweep.records(self.platform)]
        assert records
        assert not {place.name for place in records for text in self.said if text.encode() in place.content}


@pytest.fixture(scope="module")
def house(api: Api, sink: Sink) -> tuple[Owner, Venue]:
    owner = new_owner(api, sink)
    return owner, new_restaurant(owner)


@pytest.fixture(scope="module")
def evenings() -> Iterator[int]:
    return iter(range(4, 60, 15))


@pytest.fixture
async def visitor(
    api: Api, sink: Sink, platform: Platform, house: tuple[Owner, Venue], evenings: Iterator[int]
) -> Visitor:
    found = Visitor(api, sink, *house, platform, next(evenings))
    await found.visit()
    return found


async def test_a_guest_is_told_everything_and_then_forgotten_by_six_services(visitor: Visitor) -> None:
    asked = visitor.owner.api.post(visitor.requests, {"kind": "export", "email": visitor.email})
    await visitor.completed(asked)
    answer = visitor.owner.api.request("GET", f"{visitor.requests}/{asked['id']}/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        told = {name.removesuffix(".json"): archive.read(name).decode() for name in archive.namelist()}
    assert set(told) == set(SERVICES)
    assert {text for text in visitor.said if text in told["booking"]} >= visitor.said - {
        f"words {visitor.mark}"
    }
    assert f"words {visitor.mark}" in told["support"]
    assert json.loads(told["payment"])["payments"][0]["amount"] == 7000
    assert json.loads(told["analytics"])["booking_facts"]
    assert json.loads(told["notification"])["notifications"]

    with pytest.raises(Refused) as refused:
        visitor.owner.api.post(visitor.requests, {"kind": "erase", "email": visitor.email})
    assert refused.value.reason == "SUBJECT_HAS_BOOKINGS"
    visitor.cancel()
    request = await visitor.erased()
    found = await visitor.completed(request)
    rows = {
        (each["service"], row["table"]): int(row["rows"])
        for each in found["receipts"]
        for row in each.get("erased", [])
        if row.get("rows")
    }
    assert {("booking", "guests"), ("support", "tickets"), ("booking", "waitlist_entries")} <= set(rows)
    await visitor.nowhere()
    with pytest.raises(Refused) as gone:
        visitor.api.get(f"/v1/manage/{visitor.tokens[0]}")
    assert gone.value.status == 404


async def test_a_service_that_is_away_delays_an_erasure_and_loses_nothing(visitor: Visitor) -> None:
    visitor.cancel()
    support = visitor.platform.process("support")
    await asyncio.to_thread(support.kill)
    try:
        request = await visitor.erased()
        await eventually(lambda: visitor.read(request).get("waiting_for") == ["support"], timeout=_PATIENCE)
    finally:
        await asyncio.to_thread(support.start)
    await visitor.completed(request)
    await visitor.nowhere()


async def test_a_kill_between_effect_and_commit_repeats_the_whole_effect(visitor: Visitor) -> None:
    visitor.cancel()
    support = visitor.platform.process("support")
    async with _no_receipt_of(visitor.platform, "support") as blocked:
        request = await visitor.erased()
        await eventually(blocked, timeout=_PATIENCE)  # its words are out of its transaction, which has to end
        await asyncio.to_thread(support.kill)
    await asyncio.to_thread(support.start)
    found = await visitor.completed(request)
    (receipt,) = [each for each in found["receipts"] if each["service"] == "support"]
    assert {row["table"]: int(row["rows"]) for row in receipt["erased"]} == {
        "tickets": 1, "ticket_messages": 2,
    }  # fmt: skip
    await visitor.nowhere()


async def test_people_get_what_is_kept_of_their_account(visitor: Visitor) -> None:
    api = visitor.owner.api
    asked = api.post("/v1/me/data-exports")

    def ready() -> bool:
        (found,) = [each for each in api.get("/v1/me/data-exports")["items"] if each["id"] == asked["id"]]
        return bool(found["status"] == "completed")

    await eventually(ready, timeout=_PATIENCE)
    answer = api.request("GET", f"/v1/me/data-exports/{asked['id']}/file")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert set(archive.namelist()) == {f"{service}.json" for service in SERVICES}
        account = json.loads(archive.read("auth.json"))
        written = json.loads(archive.read("support.json"))["ticket_messages"]
    address = account["users"][0]["email"]
    assert any(visitor.mark in each["text"] for each in written)
    visitor.sink.wait_for_mail(address, matching="export")


@asynccontextmanager
async def _no_receipt_of(platform: Platform, service: str) -> AsyncIterator[Any]:
    """Holds up whoever writes to a service's outbox; yields what tells whether somebody waits there."""
    url = urlsplit(platform.engines.postgres_url)._replace(path=f"/{service}").geturl()
    lock, look = await asyncpg.connect(url), await asyncpg.connect(url)
    holding = lock.transaction()
    await holding.start()
    await lock.execute("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE")

    async def somebody_waits() -> bool:
        query = (
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
            " AND mode = 'RowExclusiveLock'"
        )
        return bool(await look.fetchval(query))

    try:
        yield somebody_waits
    finally:
        await holding.rollback()
        await lock.close()
        await look.close()
