"""Idempotency keys: the same key and request answer the same resource, another request is refused."""

import asyncio
from uuid import UUID

import pytest

from servicekit import idempotency, ids
from servicekit.database import Database
from servicekit.errors import IdempotencyKeyReused
from servicekit.idempotency import Key


async def _claim(db: Database, organization: UUID, key: Key | None, resource: UUID) -> UUID | None:
    async with db.begin(organization) as tx:
        return await idempotency.claim(tx, key, resource)


async def test_a_repetition_finds_the_first_resource(db: Database) -> None:
    organization, first = ids.new(), ids.new()
    key = Key("k", b"request")
    assert await _claim(db, organization, key, first) is None
    assert await _claim(db, organization, key, ids.new()) == first


async def test_another_request_with_the_same_key_is_refused(db: Database) -> None:
    organization = ids.new()
    await _claim(db, organization, Key("k", b"one"), ids.new())
    with pytest.raises(IdempotencyKeyReused):
        await _claim(db, organization, Key("k", b"two"), ids.new())


async def test_two_organizations_may_use_one_key(db: Database) -> None:
    key = Key("k", b"request")
    assert await _claim(db, ids.new(), key, ids.new()) is None
    assert await _claim(db, ids.new(), key, ids.new()) is None


async def test_of_many_at_once_one_is_first(db: Database) -> None:
    organization = ids.new()
    key = Key("k", b"request")
    resources = [ids.new() for _ in range(10)]
    found = await asyncio.gather(*(_claim(db, organization, key, resource) for resource in resources))
    assert found.count(None) == 1
    assert {each for each in found if each} == {resources[found.index(None)]}


async def test_without_a_key_nothing_is_remembered(db: Database) -> None:
    organization = ids.new()
    assert await _claim(db, organization, None, ids.new()) is None
    assert await _claim(db, organization, None, ids.new()) is None
