"""The mail of the waitlist, on the whole platform: its link works, and comes again when others ask for it."""

import re
import secrets
from typing import Any
from urllib.parse import urlsplit

import httpx

from devstack.demo.api import Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform
from testkit import eventually

from .arena import open_arena

_SUBJECT = "You are on the waitlist"
_PATIENCE = 60.0
_OWN = {"id", "created_at", "position"}
"""What two who join one after the other have each for itself."""


async def test_whoever_waits_gets_a_link_and_gets_it_again_when_somebody_joins_with_their_address(
    http: httpx.AsyncClient, owner: Owner, platform: Platform, sink: Sink
) -> None:
    house = open_arena(http, owner, platform, tables=[("T1", 1, 2)])
    email = f"waits-{secrets.token_hex(6)}@guest.example"
    start = house.at(19)
    await house.booked(2, start)
    wish = {
        "venue_id": house.venue,
        "offering_id": house.offering,
        "party_size": 2,
        "date": start[:10],
        "earliest": "19:00",
        "latest": "19:00",
        "guest": {"name": "Ada", "email": email, "language": "en"},
    }

    async def join() -> dict[str, Any]:
        answer = await http.post("/v1/waitlist", json=wish)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        joined: dict[str, Any] = answer.json()
        return joined

    async def entry_of(link: str) -> str:
        page = await http.get(urlsplit(link).path)
        assert (page.status_code, page.headers["content-type"][:9]) == (200, "text/html")
        answer = await http.get(f"/v1{urlsplit(link).path}")
        assert answer.status_code == httpx.codes.OK, answer.text
        found: str = answer.json()["entry"]["id"]
        return found

    def links() -> list[str]:
        """Those of all mails so far, oldest first."""
        mails = [mail for mail in reversed(sink.mails(email)) if mail["subject"].startswith(_SUBJECT)]
        return [re.search(r"https?://\S+/waitlist/\S+", mail["text"])[0] for mail in mails]  # type: ignore[index]

    mine = await join()
    await eventually(lambda: len(links()) == 1, timeout=_PATIENCE)
    stranger = await join()
    await join()
    await eventually(lambda: len(links()) > 1, timeout=_PATIENCE)
    assert {key: value for key, value in stranger["entry"].items() if key not in _OWN} == {
        key: value for key, value in mine["entry"].items() if key not in _OWN
    }
    first, second = links()
    assert first != second
    assert [await entry_of(first), await entry_of(second)] == [mine["entry"]["id"]] * 2
    assert stranger["entry"]["id"] != mine["entry"]["id"]
