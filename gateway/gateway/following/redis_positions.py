"""How far the follower has come, in Redis: the gateway has no database."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition
from redis.asyncio import Redis

from servicekit.positions import Position

_KEY = "edge:positions"


class RedisPositions:
    """One hash with a field for each partition."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis

    async def read(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Position]:
        """The positions that are known. Raises RedisError."""
        ordered = list(partitions)
        found = await self._redis.hmget(_KEY, [_field(each) for each in ordered])
        return {each: _unpacked(raw) for each, raw in zip(ordered, found, strict=True) if raw}

    async def write(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Replaces these positions and no other ones. Raises RedisError."""
        await self._redis.hset(
            _KEY, mapping={_field(each): _packed(position) for each, position in positions.items()}
        )


def _field(partition: TopicPartition) -> str:
    return f"{partition.topic}:{partition.partition}"


def _packed(position: Position) -> str:
    return f"{position.offset} {position.record}"


def _unpacked(raw: bytes) -> Position:
    offset, _, record = raw.decode().partition(" ")
    return Position(int(offset), record)
