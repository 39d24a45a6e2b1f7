"""kill -9 in a pinned moment, never by luck: each effect happens once, and each test shows that it hit.

Three moments: a use case has committed and its event is not published; the event is published and not marked
as such; the effect is committed and the offset of its record is not.
"""

import asyncio
from collections.abc import Iterator

import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.partner import Partner
from devstack.platform import Platform
from testkit import eventually
from testkit.wires import Moment

from .deeds import Answer, CountedStay, Deed, Deposit, Refund, Registration, Stay
from .pins import Pinned, wired
from .scene import opened

CONFIRMED = "comptoir.booking.v1.BookingConfirmed"
CANCELLED = "comptoir.booking.v1.BookingCancelled"
PAID = "comptoir.payment.v1.PaymentSucceeded"
ANSWERED = "comptoir.support.v1.TicketAnswered"
VERIFICATION = "comptoir.auth.v1.VerificationRequested"
_PATIENCE = 60.0

publishing = pytest.mark.parametrize(
    ("service", "event", "follower", "kind"),
    [
        ("auth", VERIFICATION, "notification", Registration),
        ("booking", CONFIRMED, "notification", Stay),
        ("payment", PAID, "booking", Deposit),
        ("support", ANSWERED, "notification", Answer),
    ],
    ids=["auth", "booking", "payment", "support"],
)
handling = pytest.mark.parametrize(
    ("service", "event", "kind"),
    [
        ("booking", PAID, Deposit),
        ("payment", CANCELLED, Refund),
        ("notification", CONFIRMED, Stay),
        ("analytics", CONFIRMED, CountedStay),
    ],
    ids=["booking", "payment", "notification", "analytics"],
)


@pytest.fixture(scope="module")
def pinned(platform: Platform, api: Api, sink: Sink) -> Iterator[Pinned]:
    with wired(platform) as wires, opened(platform, api, sink, partner=Partner(failures=0)) as scene:
        yield Pinned(scene, wires)


@publishing
async def test_killed_before_publishing_and_again_before_its_mark_a_service_tells_twice_and_it_counts_once(
    service: str, event: str, follower: str, kind: type[Deed], pinned: Pinned
) -> None:
    deed = await _prepared(kind, pinned)
    repeated = pinned.repeated(follower, event)
    before = pinned.relay(service, event, Moment.BEFORE)
    await asyncio.to_thread(deed.do)
    await eventually(lambda: before.reached, timeout=_PATIENCE)
    (said,) = pinned.waiting(service, event)
    assert (await pinned.log(service))[said] == 0

    after = await pinned.kill_in(before, service, then=lambda: pinned.relay(service, event, Moment.AFTER))
    assert after
    await eventually(lambda: after.reached, timeout=_PATIENCE)
    assert pinned.waiting(service, event) == [said]
    assert (await pinned.log(service))[said] == 1

    await pinned.kill_in(after, service)
    await eventually(lambda: pinned.repeated(follower, event) == repeated + 1, timeout=_PATIENCE)
    await _assert_once(deed, pinned)
    assert pinned.waiting(service, event) == []
    assert (await pinned.log(service))[said] == 2


@handling
async def test_killed_between_effect_and_offset_a_service_is_told_again_and_it_counts_once(
    service: str, event: str, kind: type[Deed], pinned: Pinned
) -> None:
    deed = await _prepared(kind, pinned)
    handled = pinned.handled(service, event)
    pin = pinned.consumer(service, event)
    await asyncio.to_thread(deed.do)
    await eventually(lambda: pin.reached, timeout=_PATIENCE)
    assert pinned.handled(service, event) == handled + 1
    await eventually(lambda: pinned.settled(service), timeout=_PATIENCE)

    await pinned.kill_in(pin, service)

    await eventually(lambda: pinned.repeated(service, event) == 1, timeout=_PATIENCE)
    await _assert_once(deed, pinned)


async def _prepared(kind: type[Deed], pinned: Pinned) -> Deed:
    deed = kind(pinned.scene)
    await asyncio.to_thread(deed.prepare)
    if isinstance(deed, Refund):
        await eventually(lambda: deed.status() == "confirmed", timeout=_PATIENCE)
    return deed


async def _assert_once(deed: Deed, pinned: Pinned) -> None:
    """There by now, and still only once when what was done later has had all its effects."""
    await _seen(deed)
    later = Stay(pinned.scene)
    await asyncio.to_thread(later.do)
    await _seen(later)
    await asyncio.to_thread(deed.assert_once)


async def _seen(deed: Deed) -> None:
    async def once() -> bool:
        await asyncio.to_thread(deed.assert_once)
        return True

    await eventually(once, timeout=_PATIENCE)
