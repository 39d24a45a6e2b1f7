"""What services expect of a broker, proven on the embedded one and on Apache Kafka alike."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from servicekit import broker as kafka_clients
from servicekit import ids
from servicekit.broker import ensure_topics
from servicekit.settings import KafkaSettings
from testkit import eventually
from testkit.brokers import Broker, KafkaClients, poll, send, take

pytestmark = pytest.mark.kafka


def partitions(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(3)]


def numbered(count: int, prefix: str = "") -> list[bytes]:
    return [f"{prefix}{number}".encode() for number in range(count)]


def log_size(member: AIOKafkaConsumer, topic: str) -> int:
    """By the high watermarks that came with what the member has fetched."""
    return sum(member.highwater(partition) or 0 for partition in partitions(topic))


async def test_records_with_one_key_stay_in_order(topic: str, clients: KafkaClients) -> None:
    keys = numbered(20, "key-")
    producer = await clients.producer()
    sends = [await producer.send(topic, key=key, value=value) for value in numbered(30) for key in keys]
    await asyncio.gather(*sends)
    records = await take(await clients.member(topic), 600)
    for key in keys:
        own = [record for record in records if record.key == key]
        assert [record.value for record in own] == numbered(30)
        assert len({record.partition for record in own}) == 1
    assert {record.partition for record in records} == {0, 1, 2}


async def test_members_of_a_group_share_the_partitions(topic: str, clients: KafkaClients) -> None:
    group, producer = f"contract-{ids.new()}", await clients.producer()
    first = await clients.member(topic, group)
    await eventually(lambda: len(first.assignment()) == 3, timeout=90)

    second = await clients.member(topic, group)
    await eventually(lambda: _share(topic, first, second), timeout=90)
    await send(producer, topic, numbered(60))
    taken: list[bytes] = []
    async with asyncio.timeout(90):
        while len(taken) < 60:
            for member in (first, second):
                taken += [record.value for record in await poll(member)]
    assert sorted(taken) == sorted(numbered(60))
    for member in (first, second):
        await member.commit()

    await clients.leave(second)
    await eventually(lambda: len(first.assignment()) == 3, timeout=90)
    await send(producer, topic, numbered(60, "later-"))
    assert sorted(record.value for record in await take(first, 60)) == sorted(numbered(60, "later-"))


def _share(topic: str, first: AIOKafkaConsumer, second: AIOKafkaConsumer) -> bool:
    mine, yours = first.assignment(), second.assignment()
    return bool(mine and yours) and not mine & yours and mine | yours == set(partitions(topic))


async def test_a_member_goes_on_after_what_its_group_has_committed(topic: str, clients: KafkaClients) -> None:
    group, producer = f"contract-{ids.new()}", await clients.producer()
    await send(producer, topic, numbered(10), partition=0)
    member = await clients.member(topic, group)
    await take(member, 10)
    await member.commit({TopicPartition(topic, 0): 6})
    await clients.leave(member)
    records = await take(await clients.member(topic, group), 4)
    assert [(record.offset, record.value) for record in records] == list(enumerate(numbered(10)))[6:]


async def test_a_group_without_offsets_starts_at_the_beginning(topic: str, clients: KafkaClients) -> None:
    await send(await clients.producer(), topic, numbered(50))
    for _ in range(2):
        member = await clients.member(topic)
        assert sorted(record.value for record in await take(member, 50)) == sorted(numbered(50))
        await member.commit()


async def test_a_member_can_go_back_to_the_beginning(topic: str, clients: KafkaClients) -> None:
    await send(await clients.producer(), topic, numbered(50), partition=1)
    member = await clients.member(topic)
    await take(member, 50)
    await member.seek_to_beginning()
    assert [record.value for record in await take(member, 50)] == numbered(50)
    member.seek(TopicPartition(topic, 1), 45)
    assert [record.value for record in await take(member, 5)] == numbered(50)[45:]


async def test_a_large_batch_arrives_completely(topic: str, clients: KafkaClients) -> None:
    values = [value.ljust(1_000, b".") for value in numbered(10_000)]
    await send(await clients.producer(), topic, values)
    member = await clients.member(topic)
    taken = await take(member, 10_000, timeout=90)
    assert sorted(record.value for record in taken) == sorted(values)
    assert log_size(member, topic) == 10_000


async def test_the_end_of_the_log_is_told_as_declared(
    broker: Broker, topic: str, clients: KafkaClients
) -> None:
    producer, zero = await clients.producer(), TopicPartition(topic, 0)
    batch = producer.create_batch()
    for value in numbered(5):
        batch.append(key=None, value=value, timestamp=None)
    await (await producer.send_batch(batch, topic, partition=0))
    member = await clients.member(topic)
    assert await member.end_offsets([zero]) == {zero: 5 if broker.traits.exact_log_ends else 1}
    await take(member, 5)
    assert member.highwater(zero) == 5
    await send(producer, topic, [b"alone"], partition=0)
    assert await member.end_offsets([zero]) == {zero: 6}


async def test_all_that_topics_hold_is_read_to_the_last_record_of_the_last_batch(
    topic: str, kafka: KafkaSettings, clients: KafkaClients
) -> None:
    producer = await clients.producer()
    for partition, prefixes in {0: ["a", "b"], 2: ["c"]}.items():
        for prefix in prefixes:
            batch = producer.create_batch()
            for value in numbered(300, prefix):
                batch.append(key=None, value=value, timestamp=None)
            await (await producer.send_batch(batch, topic, partition=partition))
    read = [record async for record in kafka_clients.everything(kafka, [topic])]
    of = {number: [each.value for each in read if each.partition == number] for number in range(3)}
    assert of == {0: numbered(300, "a") + numbered(300, "b"), 1: [], 2: numbered(300, "c")}


async def test_empty_and_absent_topics_are_read_within_moments(topic: str, kafka: KafkaSettings) -> None:
    empty = [f"contract-{ids.new()}" for _ in range(3)]
    await ensure_topics(kafka, empty)
    async with asyncio.timeout(20):
        found = [each async for each in kafka_clients.everything(kafka, [topic, *empty, "contract-absent"])]
    assert found == []


async def test_headers_and_absent_keys_and_values_come_back_as_they_were(
    topic: str, clients: KafkaClients
) -> None:
    headers = [("ce_id", b"1"), ("ce_id", b"2"), ("empty", b""), ("binary", bytes(range(256)))]
    producer = await clients.producer()
    await producer.send_and_wait(topic, key=None, value=b"no key", headers=headers, partition=2)
    await producer.send_and_wait(topic, key=b"no value", value=None, partition=2)
    await producer.send_and_wait(topic, key=b"", value=b"", partition=2)
    records = await take(await clients.member(topic), 3)
    assert [(record.key, record.value) for record in records] == [
        (None, b"no key"),
        (b"no value", None),
        (b"", b""),
    ]
    assert [list(record.headers) for record in records] == [headers, [], []]


async def test_making_topics_again_changes_nothing(
    topic: str, kafka: KafkaSettings, clients: KafkaClients
) -> None:
    await send(await clients.producer(), topic, numbered(5))
    other = f"contract-{ids.new()}"
    await ensure_topics(kafka, [topic, other])
    await ensure_topics(kafka.model_copy(update={"partitions": 5}), [topic, other])
    member = await clients.member(topic)
    assert sorted(record.value for record in await take(member, 5)) == numbered(5)
    assert member.partitions_for_topic(topic) == {0, 1, 2}
    second = await clients.member(other)
    assert await eventually(lambda: second.partitions_for_topic(other)) == {0, 1, 2}


async def test_a_producer_gets_an_id_where_the_broker_knows_them(
    broker: Broker, topic: str, kafka: KafkaSettings, clients: KafkaClients
) -> None:
    asking = kafka_clients.producer(kafka.model_copy(update={"idempotent_producer": True}), "contract")
    clients.opened.append(asking)
    if broker.traits.idempotent_producer:
        await asking.start()
        await send(asking, topic, numbered(3), partition=0)
        assert [record.value for record in await take(await clients.member(topic), 3)] == numbered(3)
    else:
        with pytest.raises(KafkaError):
            await asking.start()


async def test_clients_recover_when_the_broker_is_killed(
    broker: Broker, topic: str, kafka: KafkaSettings, clients: KafkaClients
) -> None:
    producer, group = await clients.producer(), f"contract-{ids.new()}"
    member = await clients.member(topic, group)
    await send(producer, topic, numbered(30, "before-"))
    await take(member, 30)
    await member.commit()

    await _interrupt(broker, clients)
    await ensure_topics(kafka, [topic])
    await send(producer, topic, numbered(6, "after-"))
    assert {record.value for record in await take(member, 6, timeout=90)} == set(numbered(6, "after-"))

    kept = numbered(30, "before-") if broker.traits.survives_kill else []
    newcomer = await clients.member(topic)
    whole = await take(newcomer, len(kept) + 6)
    assert sorted(record.value for record in whole) == sorted([*kept, *numbered(6, "after-")])
    assert log_size(newcomer, topic) == len(kept) + 6


async def test_committed_offsets_live_as_long_as_the_records(
    broker: Broker, topic: str, kafka: KafkaSettings, clients: KafkaClients
) -> None:
    group, zero = f"contract-{ids.new()}", TopicPartition(topic, 0)
    await send(await clients.producer(), topic, numbered(8), partition=0)
    member = await clients.member(topic, group)
    await take(member, 8)
    await member.commit()
    await clients.leave(member)

    await _interrupt(broker, clients)
    await ensure_topics(kafka, [topic])
    again = await clients.member(topic, group)
    await eventually(lambda: zero in again.assignment(), timeout=90)
    assert await again.committed(zero) == (8 if broker.traits.survives_kill else None)


async def _interrupt(broker: Broker, clients: KafkaClients) -> None:
    """Kills our own broker and starts it again. Of somebody else's, only the connections are cut."""
    if broker.engine is not None:
        await asyncio.to_thread(broker.engine.kill)
        await asyncio.to_thread(broker.engine.start)
        return
    for client in clients.opened:
        internal = client.client if isinstance(client, AIOKafkaProducer) else client._client
        for connection in list(internal._conns.values()):
            connection.close()
