"""How long an organization keeps what, on the whole platform: each service is told, and forgets by itself."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner
from devstack.platform import Platform
from servicekit import ids
from servicekit.errors import InvalidRequest
from testkit import eventually

from .conftest import new_owner, new_restaurant

_PATIENCE = 90.0
_ROUNDS, _A_ROUND = 10, 20.0
_COPIES = ("booking", "notification", "support")
_A_DAY = dict.fromkeys(("guest_days", "wish_days", "ticket_days", "mail_days", "delivery_days"), 1)
_TEN_DAYS_PASS = {
    "booking": """
        UPDATE bookings SET start_at = start_at - interval '20 days', end_at = end_at - interval '20 days',
            service_date = service_date - 20 WHERE organization_id = $1;
        UPDATE service_days SET service_date = service_date - 20 WHERE organization_id = $1
    """,
    "support": "UPDATE tickets SET resolved_at = resolved_at - interval '10 days' WHERE organization_id = $1",
    "notification": """
        UPDATE notifications SET due_at = due_at - interval '20 days', sent_at = sent_at - interval '20 days',
            starts_at = starts_at - interval '20 days' WHERE organization_id = $1 AND status = 'sent'
    """,
}
"""What is to come in some days was over more than ten days ago."""


@dataclass(frozen=True)
class House:
    """An organization with one guest, who booked and wrote a ticket that is resolved."""

    platform: Platform
    owner: Owner
    booking: str
    ticket: str
    guest: str

    @property
    def kept(self) -> tuple[str, bool, bool]:
        """The guest's name, whether the ticket is there, and whether any mail is that was sent."""
        name = self.owner.api.get(f"/v1/bookings/{self.booking}")["guest"]["name"]
        mails = self.owner.api.get("/v1/notifications", booking_id=self.booking)["items"]
        ticket = self.owner.api.request("GET", f"/v1/tickets/{self.ticket}").status_code
        return name, ticket == httpx.codes.OK, any(mail["status"] == "sent" for mail in mails)

    def retention(self, method: str, body: Any = None, **headers: str) -> Any:
        """Asks for the settings, or changes them."""
        path = f"/v1/organizations/{self.owner.organization_id}/retention"
        return self.owner.api.request(method, path, json=body, headers=headers)

    async def ten_days_pass(self) -> None:
        """For what is over, in the three databases."""
        organization = ids.parse("org", self.owner.organization_id, InvalidRequest)
        for service, statements in _TEN_DAYS_PASS.items():
            async with database(self.platform, service) as connection:
                for statement in statements.split(";"):
                    await connection.execute(statement, organization)


@asynccontextmanager
async def database(platform: Platform, service: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        urlsplit(platform.engines.postgres_url)._replace(path=f"/{service}").geturl()
    )
    try:
        yield connection
    finally:
        await connection.close()


async def purge(platform: Platform) -> None:
    """Has every purge begin now."""
    for service in _COPIES:
        async with database(platform, service) as connection:
            await connection.execute("UPDATE timers SET due_at = now() WHERE kind = 'purge'")


async def a_house(platform: Platform, api: Api, sink: Sink) -> House:
    owner = new_owner(api, sink)
    venue = new_restaurant(owner)
    guest = Guest(f"Zenobia {secrets.token_hex(4)}", f"{secrets.token_hex(6)}@guest.example")
    slots = guests.search(api, venue, date=guests.next_service_day(), party_size=2)
    start = guests.first_start(slots, hour=19)
    made = guests.book(api, venue, start=start, party_size=2, guest=guest)
    link, booking = f"/v1/manage/{made['manage_token']}", made["booking"]["id"]
    ticket = api.post(f"{link}/tickets", {"subject": "Nuts", "text": "Are there any?"})["id"]
    owner.api.post(f"/v1/tickets/{ticket}/resolve")
    house = House(platform, owner, booking, ticket, guest.name)
    sink.wait_for_mail(guest.email, matching="/manage/")
    await eventually(lambda: house.kept == (guest.name, True, True), timeout=_PATIENCE)
    return house


async def test_an_organization_that_keeps_less_is_soon_rid_of_it_and_no_other_is(
    platform: Platform, api: Api, sink: Sink
) -> None:
    mine, theirs = await a_house(platform, api, sink), await a_house(platform, api, sink)
    read = mine.retention("GET")
    assert (read.status_code, read.headers["etag"][:3], read.json()["guest_days"]) == (200, '"1-', 730)
    changed = mine.retention("PUT", _A_DAY, **{"if-match": read.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"'), changed.text
    assert changed.json() == {"version": 2, **_A_DAY}
    stale = mine.retention("PUT", _A_DAY | {"mail_days": 2}, **{"if-match": '"1"'})
    assert (stale.status_code, stale.json()["reason"]) == (412, "VERSION_MISMATCH")
    organization = ids.parse("org", mine.owner.organization_id, InvalidRequest)

    async def copied() -> bool:
        versions = []
        for service in _COPIES:
            async with database(platform, service) as connection:
                query = "SELECT version FROM retention_settings WHERE organization_id = $1"
                versions.append(await connection.fetchval(query, organization))
        return versions == [2] * len(_COPIES)

    await eventually(copied, timeout=_PATIENCE)
    await purge(platform)
    assert mine.kept == (mine.guest, True, True), "nothing is old yet"
    for house in (mine, theirs):
        await house.ten_days_pass()
    for _ in range(_ROUNDS):  # one that was under way when the days passed may have been here before
        await purge(platform)
        with suppress(AssertionError):
            await eventually(lambda: mine.kept == ("", False, False), timeout=_A_ROUND)
            break
    assert mine.kept == ("", False, False)
    assert theirs.kept == (theirs.guest, True, True)
