"""Wires pass everything on, hold what a pin says, and never let go of what they held."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage

import aiosmtplib
import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from devstack.engines import SinkEngine
from servicekit import broker, ids
from servicekit.settings import KafkaSettings
from testkit import eventually
from testkit.brokers import KafkaClients, take
from testkit.engines import RunningEngine
from testkit.wires import KafkaWire, Moment, SmtpWire


@pytest.fixture
def direct(broker_engine: RunningEngine) -> KafkaSettings:
    """Past the wire. Without producer ids, so that a repetition shows."""
    return KafkaSettings(
        bootstrap_servers=broker_engine.url, idempotent_producer=False, partitions=1, session_timeout_ms=2_000
    )


@pytest.fixture
def wire(direct: KafkaSettings) -> Iterator[KafkaWire]:
    made = KafkaWire(direct.bootstrap_servers)
    made.start()
    yield made
    made.close()


@pytest.fixture
async def clients(direct: KafkaSettings, wire: KafkaWire) -> AsyncIterator[KafkaClients]:
    """Through the wire."""
    opened = KafkaClients(direct.model_copy(update={"bootstrap_servers": wire.address}))
    yield opened
    wire.cut()
    await opened.close()


@pytest.fixture
async def topic(direct: KafkaSettings) -> str:
    name = f"wire-{ids.new()}"
    await broker.ensure_topics(direct, [name])
    return name


async def values(direct: KafkaSettings, topic: str) -> list[bytes | None]:
    """What the topic holds, as seen past the wire."""
    return [record.value async for record in broker.everything(direct, [topic])]


async def deliver(producer: AIOKafkaProducer, topic: str, value: bytes) -> None:
    await producer.send_and_wait(topic, value=value)


async def test_what_nobody_pins_passes(topic: str, clients: KafkaClients, direct: KafkaSettings) -> None:
    await deliver(await clients.producer(), topic, b"one")
    member = await clients.member(topic)
    assert [record.value for record in await take(member, 1)] == [b"one"]
    await member.commit()
    assert await member.committed(TopicPartition(topic, 0)) == 1


async def test_a_request_held_before_the_broker_never_gets_there(
    topic: str, clients: KafkaClients, wire: KafkaWire, direct: KafkaSettings
) -> None:
    producer = await clients.producer()
    pin = wire.pin_call(KafkaWire.PRODUCE, Moment.BEFORE, when=lambda frame: b"pinned" in frame)
    await deliver(producer, topic, b"other")
    sending = asyncio.create_task(deliver(producer, topic, b"pinned"))
    await eventually(lambda: pin.reached)
    assert await values(direct, topic) == [b"other"]
    wire.cut()
    await sending  # the producer tries again by itself
    assert await values(direct, topic) == [b"other", b"pinned"]


async def test_an_answer_is_held_after_the_broker_has_done_it(
    topic: str, clients: KafkaClients, wire: KafkaWire, direct: KafkaSettings
) -> None:
    producer = await clients.producer()
    pin = wire.pin_call(KafkaWire.PRODUCE, Moment.AFTER, when=lambda frame: b"pinned" in frame)
    sending = asyncio.create_task(deliver(producer, topic, b"pinned"))
    await eventually(lambda: pin.reached)
    assert not sending.done()
    assert await values(direct, topic) == [b"pinned"]
    wire.cut()
    await sending
    assert await values(direct, topic) == [b"pinned", b"pinned"]


async def test_a_commit_is_held_only_once_its_time_has_come(
    topic: str, clients: KafkaClients, wire: KafkaWire
) -> None:
    await deliver(await clients.producer(), topic, b"one")
    member = await clients.member(topic)
    await take(member, 1)
    come = False
    pin = wire.pin_call(KafkaWire.OFFSET_COMMIT, Moment.BEFORE, when=lambda _: come)
    partition = TopicPartition(topic, 0)
    await member.commit({partition: 0})
    assert not pin.reached
    come = True
    committing = asyncio.create_task(member.commit({partition: 1}))
    await eventually(lambda: pin.reached)
    assert not committing.done()
    wire.cut()
    await committing
    assert await member.committed(partition) == 1


async def test_a_mail_is_held_after_the_server_has_it(sink_engine: SinkEngine) -> None:
    wire = SmtpWire(f"{sink_engine.smtp_host}:{sink_engine.smtp_port}")
    wire.start()
    recipient = f"wire-{ids.new()}@guest.example"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "desk@comptoir.example", recipient, "Hello"
    mail.set_content("A line\n.\nthat is only a dot\n")
    try:
        pin = wire.pin_mail(Moment.AFTER)
        sending = asyncio.create_task(
            aiosmtplib.send(mail, hostname="127.0.0.1", port=wire.port, start_tls=False)
        )
        await eventually(lambda: pin.reached)
        assert not sending.done()
        async with httpx.AsyncClient(base_url=sink_engine.url) as sink:
            assert len((await sink.get("/mails", params={"to": recipient})).json()) == 1
        wire.cut()
        with pytest.raises(aiosmtplib.SMTPException):
            await sending
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=wire.port, start_tls=False)
    finally:
        wire.close()


async def test_behind_a_wire_to_nowhere_nobody_answers(wire: KafkaWire) -> None:
    wire.target = ("127.0.0.1", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readexactly(1)
    writer.transport.abort()
