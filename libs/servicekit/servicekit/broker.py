"""How this platform speaks to Kafka: one place for client settings and for making topics."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from servicekit.settings import KafkaSettings

# Short, so that clients notice within seconds that a broker came back empty.
_METADATA_MAX_AGE_MS = 2_000
_RETRY_BACKOFF_MS = 200
_REQUEST_TIMEOUT_MS = 10_000
_CLOSE_SECONDS = 5.0
_READ_MS, _AT_ONCE = 1_000, 200
_LOOK_SECONDS, _LOOK_MS = 3.0, 300


def producer(settings: KafkaSettings, name: str) -> AIOKafkaProducer:
    """A producer whose sends are done when every replica in sync has the record."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        client_id=name,
        acks="all",
        enable_idempotence=settings.idempotent_producer,
        linger_ms=2,
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
        retry_backoff_ms=_RETRY_BACKOFF_MS,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )


def group_consumer(
    settings: KafkaSettings,
    group: str,
    topics: Iterable[str],
    listener: ConsumerRebalanceListener | None = None,
) -> AIOKafkaConsumer:
    """A member of a consumer group that commits by hand and starts at the beginning.

    `listener` is told of the partitions that it is given.
    """
    member = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        client_id=group,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
        retry_backoff_ms=_RETRY_BACKOFF_MS,
        # Joining waits for members that are gone, a session timeout at most: longer means no answer.
        request_timeout_ms=settings.session_timeout_ms + _REQUEST_TIMEOUT_MS,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=settings.session_timeout_ms // 5,
    )
    member.subscribe(list(topics), listener=listener)
    return member


def reader(settings: KafkaSettings) -> AIOKafkaConsumer:
    """A consumer outside every group, to look at offsets and dead letters."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
        retry_backoff_ms=_RETRY_BACKOFF_MS,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )


async def ensure_topics(settings: KafkaSettings, topics: Iterable[str]) -> None:
    """Makes the topics that do not exist yet.

    Raises:
        KafkaError: the broker cannot be reached or refuses.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=_REQUEST_TIMEOUT_MS
    )
    await admin.start()
    try:
        wanted = [
            NewTopic(
                topic, num_partitions=settings.partitions, replication_factor=settings.replication_factor
            )
            for topic in topics
        ]
        if not wanted:
            return
        try:
            answer = await admin.create_topics(wanted)
        except TopicAlreadyExistsError:
            return
        for _topic, code, *_rest in getattr(answer, "topic_errors", ()):
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error
    finally:
        await close(admin.close())


async def committed(
    settings: KafkaSettings, group: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """The next offset of a group as it has told the broker; 0 where it has told nothing.

    Raises:
        KafkaError: the broker cannot be reached.
    """
    wanted = list(partitions)
    if not wanted:
        return {}
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=_REQUEST_TIMEOUT_MS
    )
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group, partitions=wanted)
    finally:
        await close(admin.close())
    return {partition: max(0, commit.offset) for partition, commit in found.items()}


async def records_at(
    settings: KafkaSettings, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, ConsumerRecord]:
    """The record at an offset of each partition, or another one or none when the log does not go so far.

    Raises:
        KafkaError: the broker cannot be reached.
    """
    found: dict[TopicPartition, ConsumerRecord] = {}
    if not offsets:
        return found
    source = reader(settings)
    await source.start()
    try:
        source.assign(list(offsets))
        for partition, offset in offsets.items():
            source.seek(partition, offset)
        limit = time.monotonic() + _LOOK_SECONDS
        while (missing := offsets.keys() - found.keys()) and time.monotonic() < limit:
            read = await source.getmany(*missing, timeout_ms=_LOOK_MS, max_records=_AT_ONCE)
            found.update({partition: records[0] for partition, records in read.items() if records})
    finally:
        await close(source.stop())
    return found


async def everything(settings: KafkaSettings, topics: Sequence[str]) -> AsyncIterator[ConsumerRecord]:
    """All records that these topics hold now, in order per partition. A topic that does not exist holds none.

    Raises:
        KafkaError: the broker cannot be reached.
    """
    partitions = await _partitions(settings, topics)
    if not partitions:
        return
    source = reader(settings)
    await source.start()
    try:
        source.assign(partitions)
        ends = await source.end_offsets(partitions)
        await source.seek_to_beginning(*partitions)
        while unread := [each for each in partitions if await _holds_more(source, each, ends[each])]:
            read = await source.getmany(*unread, timeout_ms=_READ_MS, max_records=_AT_ONCE)
            for records in read.values():
                for record in records:
                    yield record
    finally:
        await close(source.stop())


async def _holds_more(source: AIOKafkaConsumer, partition: TopicPartition, end: int) -> bool:
    """Up to the end that was told, or that came with the records, whichever is further."""
    # The embedded broker tells the end of a log as the start of its last batch plus one.
    known = max(end, source.highwater(partition) or 0)
    return bool(await source.position(partition) < known)


async def _partitions(settings: KafkaSettings, topics: Sequence[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=_REQUEST_TIMEOUT_MS
    )
    await admin.start()
    try:
        described = await admin.describe_topics(list(topics))
    finally:
        await close(admin.close())
    found = [
        TopicPartition(each["topic"], one["partition"]) for each in described for one in each["partitions"]
    ]
    return sorted(found)


async def close(closing: Awaitable[None]) -> None:
    """Closes a client, whose broker may be gone already: then there is nothing left to say to it."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(closing, _CLOSE_SECONDS)


__all__ = [
    "KafkaError",
    "close",
    "committed",
    "ensure_topics",
    "everything",
    "group_consumer",
    "producer",
    "reader",
    "records_at",
]
