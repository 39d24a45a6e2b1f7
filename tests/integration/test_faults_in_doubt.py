"""The one case in which nobody can know: the other side has it, and we were killed before we heard so.

Then it is sent again, under the same id, and counted: counters and the log of tries say how often.
"""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.partner import Partner
from devstack.platform import Platform
from servicekit import ids
from servicekit.errors import InvalidRequest
from testkit import eventually
from testkit.wires import Moment, SmtpWire

from .deeds import Stay
from .scene import Scene, opened

_PATIENCE = 60.0
_MAILS = "comptoir_mails_ambiguous_total"
_WEBHOOKS = "comptoir_webhooks_ambiguous_total"


@dataclass
class Hesitant(Partner):
    """Takes what it is sent, and hesitates to say so."""

    hesitates: bool = False
    took: threading.Event = field(default_factory=threading.Event)
    may_speak: threading.Event = field(default_factory=threading.Event)

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        status = super().take(body, headers)
        if self.hesitates:
            self.took.set()
            self.may_speak.wait(_PATIENCE)
        return status


@pytest.fixture(scope="module")
def partner() -> Hesitant:
    return Hesitant(failures=0)


@pytest.fixture(scope="module")
def scene(platform: Platform, api: Api, sink: Sink, partner: Hesitant) -> Iterator[Scene]:
    with opened(platform, api, sink, partner=partner) as scene:
        yield scene


@pytest.fixture(scope="module")
def mail_wire(scene: Scene) -> Iterator[SmtpWire]:
    """Between notification and the mail server."""
    sink, process = scene.platform.engines.sink, scene.platform.process("notification")
    wire, kept = SmtpWire(f"{sink.smtp_host}:{sink.smtp_port}"), process.environment
    wire.start()
    process.environment = {**kept, "NOTIFICATION_SMTP__PORT": str(wire.port)}
    scene.kill_and_start("notification")
    yield wire
    process.environment = kept
    scene.kill_and_start("notification")
    wire.close()


@pytest.mark.parametrize(
    ("moment", "arrived"), [(Moment.BEFORE, 1), (Moment.AFTER, 2)], ids=["before", "after"]
)
async def test_a_mail_that_the_server_may_have_is_sent_again_under_its_id_and_counted(
    moment: Moment, arrived: int, scene: Scene, mail_wire: SmtpWire
) -> None:
    stay = Stay(scene)
    pin = mail_wire.pin_mail(moment)
    await asyncio.to_thread(stay.do)
    await eventually(lambda: pin.reached, timeout=_PATIENCE)
    assert len(stay.mails()) == arrived - 1
    assert _status(scene, stay) == "sending"

    killed = await asyncio.to_thread(scene.kill, "notification")
    mail_wire.cut()
    await asyncio.to_thread(killed[0].start)

    await eventually(lambda: _status(scene, stay) == "sent", timeout=_PATIENCE)
    mails = scene.sink.mails(stay.email)
    assert len(mails) == arrived
    assert len({mail["headers"]["Message-ID"] for mail in mails}) == 1
    assert scene.metric("notification", _MAILS) == 1


async def test_a_webhook_that_the_partner_has_is_sent_again_under_its_id_and_counted(
    scene: Scene, partner: Hesitant
) -> None:
    stay = Stay(scene)
    partner.hesitates = True
    await asyncio.to_thread(stay.do)
    await eventually(partner.took.is_set, timeout=_PATIENCE)
    assert partner.types(stay.booking) == ["booking.confirmed"]

    killed = await asyncio.to_thread(scene.kill, "notification")
    partner.hesitates = False
    partner.may_speak.set()
    await asyncio.to_thread(killed[0].start)

    await eventually(lambda: len(partner.types(stay.booking)) == 2, timeout=_PATIENCE)
    message, again = [each for each in partner.received if each["data"]["booking_id"] == stay.booking]
    assert message == again
    await eventually(lambda: _tries(scene) == [(0, "interrupted"), (204, "")], timeout=_PATIENCE)
    assert scene.metric("notification", _WEBHOOKS) == 1


async def test_without_a_kill_nothing_is_in_doubt(scene: Scene) -> None:
    """The control: what is counted above is the kill."""
    await asyncio.to_thread(scene.kill_and_start, "notification")
    stay = Stay(scene)
    await asyncio.to_thread(stay.do)

    async def once() -> bool:
        await asyncio.to_thread(stay.assert_once)
        return _status(scene, stay) == "sent"

    await eventually(once, timeout=_PATIENCE)
    assert (scene.metric("notification", _MAILS), scene.metric("notification", _WEBHOOKS)) == (0, 0)


def _status(scene: Scene, stay: Stay) -> str:
    """Where the confirming mail stands. The API does not tell that one is being sent."""
    (status,) = scene.sql(
        "notification",
        "SELECT status FROM notifications WHERE kind = 'booking_confirmed' AND booking_id = :'booking';",
        booking=str(ids.parse("bkg", stay.booking, InvalidRequest)),
    )
    return status


def _tries(scene: Scene) -> list[tuple[int, str]]:
    """The tries of the newest delivery, as the owner sees them."""
    (endpoint,) = scene.owner.api.get("/v1/webhook-endpoints")["items"]
    newest = scene.owner.api.get(f"/v1/webhook-endpoints/{endpoint['id']}/deliveries")["items"][0]
    return [(each["response_status"], each["error"]) for each in newest["attempts"]]
