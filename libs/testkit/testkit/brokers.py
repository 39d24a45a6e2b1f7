"""The brokers that the contract suite knows, in what they may differ, and clients that a test opens."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from servicekit import broker, ids
from servicekit.settings import KafkaSettings
from testkit.engines import RunningEngine

_POLL_MS = 200


@dataclass(frozen=True, slots=True)
class BrokerTraits:
    """Every difference between brokers that the suite accepts; it proves each of them."""

    survives_kill: bool
    """Topics, records and committed offsets are there again after kill -9."""
    idempotent_producer: bool
    """Producers may ask for a producer id."""
    exact_log_ends: bool
    """ListOffsets tells the end of the log; else one after the start of its last batch."""
    session_timeout_ms: int
    """The session timeout of the suite's groups."""


EMBEDDED = BrokerTraits(
    survives_kill=False, idempotent_producer=False, exact_log_ends=False, session_timeout_ms=2_000
)
APACHE = BrokerTraits(
    survives_kill=True, idempotent_producer=True, exact_log_ends=True, session_timeout_ms=2_000
)
GIVEN = replace(APACHE, session_timeout_ms=6_000)
"""A broker by URL counts as Apache Kafka with its defaults."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker under test. `engine` is None when it is somebody else's, so that no test may end it."""

    bootstrap_servers: str
    traits: BrokerTraits
    engine: RunningEngine | None

    def settings(self, *, partitions: int = 3) -> KafkaSettings:
        """What a service would be given for it."""
        return KafkaSettings(
            bootstrap_servers=self.bootstrap_servers,
            idempotent_producer=self.traits.idempotent_producer,
            partitions=partitions,
            session_timeout_ms=self.traits.session_timeout_ms,
        )


class KafkaClients:
    """Producers and group members as services have them. `close` ends all that a test opened."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self.opened: list[AIOKafkaProducer | AIOKafkaConsumer] = []

    async def producer(self) -> AIOKafkaProducer:
        """A started producer."""
        return await self._open(broker.producer(self.settings, "contract"))

    async def member(self, topic: str, group: str | None = None) -> AIOKafkaConsumer:
        """A started member of a group; of a new one if not named."""
        return await self._open(
            broker.group_consumer(self.settings, group or f"contract-{ids.new()}", [topic])
        )

    async def leave(self, member: AIOKafkaConsumer) -> None:
        """Ends a member in an orderly way."""
        self.opened.remove(member)
        await member.stop()

    async def close(self) -> None:
        """Ends what is left."""
        while self.opened:
            await broker.close(self.opened.pop().stop())

    async def _open(self, client: AIOKafkaProducer | AIOKafkaConsumer) -> AIOKafkaProducer | AIOKafkaConsumer:
        self.opened.append(client)
        await client.start()
        return client


async def send(
    producer: AIOKafkaProducer, topic: str, values: Iterable[bytes], *, partition: int | None = None
) -> None:
    """Sends without keys, and returns when the broker has taken all. Raises: KafkaError."""
    sends = [await producer.send(topic, value=value, partition=partition) for value in values]
    await asyncio.gather(*sends)


async def take(member: AIOKafkaConsumer, count: int, *, timeout: float = 90.0) -> list[ConsumerRecord]:  # noqa: ASYNC109
    """The next records, at least `count`. Raises: TimeoutError: fewer came within `timeout` seconds."""
    taken: list[ConsumerRecord] = []
    async with asyncio.timeout(timeout):
        while len(taken) < count:
            taken += await poll(member)
    return taken


async def poll(member: AIOKafkaConsumer) -> list[ConsumerRecord]:
    """What has come for the member by now, or comes within moments."""
    batches = await member.getmany(timeout_ms=_POLL_MS)
    return [record for records in batches.values() for record in records]
