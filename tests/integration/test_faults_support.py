"""Guests ask and staff answer while support is killed: each ticket, message and mail is there once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.guest import Guest
from devstack.demo.partner import Partner
from devstack.platform import Platform
from testkit import eventually

from .scene import Scene, opened
from .storm import post

ASKING = 12
_PATIENCE = 60.0


@dataclass(slots=True)
class Talk:
    """A guest with a booking, their question, and how far staff are with it."""

    email: str
    booking: str
    link: str
    ticket: str = ""
    answered: bool = False

    @property
    def question(self) -> str:
        return f"Is there a high chair for {self.booking}?"

    @property
    def answer(self) -> str:
        return f"There is one for {self.booking}."


@pytest.fixture(scope="module")
def scene(platform: Platform, api: Api, sink: Sink) -> Iterator[Scene]:
    with opened(platform, api, sink, partner=Partner(failures=0)) as scene:
        yield scene


async def test_a_killed_support_service_loses_and_doubles_no_ticket_message_or_mail(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    talks = await asyncio.to_thread(_book_all, scene)
    talking = [asyncio.create_task(_talk(http, scene, talk)) for talk in talks]
    await eventually(lambda: sum(talk.answered for talk in talks) >= ASKING // 4, timeout=_PATIENCE)
    assert not all(talk.answered for talk in talks), "all was said before the kill"
    await asyncio.to_thread(scene.kill_and_start, "support")
    await asyncio.wait_for(asyncio.gather(*talking), _PATIENCE)

    wanted = {(talk.booking, kind) for talk in talks for kind in ("ticket.opened", "ticket.answered")}
    await eventually(lambda: wanted <= set(_told(scene)), timeout=_PATIENCE)
    assert {what: count for what, count in _told(scene).items() if what in wanted} == dict.fromkeys(wanted, 1)
    await eventually(lambda: all(_answers(scene, talk) for talk in talks), timeout=_PATIENCE)
    for talk in talks:
        assert await asyncio.to_thread(_kept, scene, talk) == [[talk.question, talk.answer]]
        assert await asyncio.to_thread(_answers, scene, talk) == 1


def _book_all(scene: Scene) -> list[Talk]:
    talks = []
    for number in range(ASKING):
        day = guests.next_service_day(days_ahead=20 + number)
        start = next(
            slot["start"]
            for slot in guests.search(scene.api, scene.venue, date=day, party_size=2)
            if slot["bookable"]
        )
        asker = Guest("Curious", f"asks-{scene.venue.slug}-{number}@guest.example")
        made = guests.book(scene.api, scene.venue, start=start, party_size=2, guest=asker)
        link = f"/v1/manage/{made['manage_token']}/tickets"
        talks.append(Talk(asker.email, made["booking"]["id"], link))
    return talks


async def _talk(http: httpx.AsyncClient, scene: Scene, talk: Talk) -> None:
    """The guest asks until heard; then staff answer until heard."""
    opened = await post(http, talk.link, {"subject": "A high chair", "text": talk.question})
    assert opened.status_code == 201, opened.text
    talk.ticket = opened.json()["id"]
    path = f"/v1/tickets/{talk.ticket}/messages"
    answered = await post(http, path, {"text": talk.answer}, **scene.owner.api.headers)
    assert answered.status_code == 201, answered.text
    talk.answered = True


def _told(scene: Scene) -> Counter[tuple[Any, str]]:
    """What the partner was told, by booking and type."""
    return Counter((each["data"].get("booking_id"), each["type"]) for each in list(scene.partner.received))


def _kept(scene: Scene, talk: Talk) -> list[list[str]]:
    """The texts of each ticket about a booking."""
    tickets = scene.owner.api.get("/v1/tickets", booking_id=talk.booking)["items"]
    whole = [scene.owner.api.get(f"/v1/tickets/{ticket['id']}") for ticket in tickets]
    return [[message["text"] for message in ticket["messages"]] for ticket in whole]


def _answers(scene: Scene, talk: Talk) -> int:
    """How many mails carry the answer."""
    return sum(talk.answer in mail["text"] for mail in scene.sink.mails(talk.email))
