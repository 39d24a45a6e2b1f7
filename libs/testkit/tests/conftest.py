"""A topic and clients of its own for every test of the broker."""

from collections.abc import AsyncIterator

import pytest

from servicekit import ids
from servicekit.broker import ensure_topics
from servicekit.settings import KafkaSettings
from testkit.brokers import Broker, KafkaClients


@pytest.fixture
def kafka(broker: Broker) -> KafkaSettings:
    return broker.settings(partitions=3)


@pytest.fixture
async def topic(kafka: KafkaSettings) -> str:
    name = f"contract-{ids.new()}"
    await ensure_topics(kafka, [name])
    return name


@pytest.fixture
async def clients(kafka: KafkaSettings) -> AsyncIterator[KafkaClients]:
    opened = KafkaClients(kafka)
    yield opened
    await opened.close()
