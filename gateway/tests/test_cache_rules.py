"""What a policy may ask of the edge: the start fails on what could be kept for the wrong people."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from comptoir.api.v1 import policy_pb2
from gateway.cache.keeping import Cache, Kept
from gateway.cache.store import Store
from gateway.cache.venues import VenueNames
from gateway.routes import ContractBroken, Route, routes
from servicekit.errors import VenueNotFound
from servicekit.settings import RedisSettings

Change = Callable[[Any], object]


@pytest.fixture
def store() -> Store:
    return Store(RedisSettings.model_validate({"url": "redis://127.0.0.1:1"}), timeout=1)


def search() -> Route:
    return next(route for route in routes() if route.operation_id == "searchAvailability")


@pytest.mark.parametrize(
    "change",
    [
        lambda policy: setattr(policy, "audience", policy_pb2.AUDIENCE_MEMBER),
        lambda policy: setattr(policy, "audience", policy_pb2.AUDIENCE_GUEST),
        lambda policy: setattr(policy, "rate_class", policy_pb2.RATE_CLASS_CREDENTIAL),
        lambda policy: setattr(policy, "idempotent", False),
        lambda policy: setattr(policy, "edge_seconds", 61),
        lambda policy: setattr(policy, "edge_seconds", -1),
        lambda policy: policy.ClearField("cache_tags"),
        lambda policy: policy.cache_tags.append("venue:{nothing}"),
        lambda policy: policy.cache_tags.append("party:{party_size}"),
        lambda policy: policy.cache_tags.append("with:{attributes}"),
    ],
)
def test_a_policy_that_would_keep_what_is_not_for_everybody_is_refused(store: Store, change: Change) -> None:
    policy = policy_pb2.Policy()
    policy.CopyFrom(search().policy)
    assert Kept(replace(search(), policy=policy), store, {})
    change(policy)
    with pytest.raises(ContractBroken, match="SearchAvailability"):
        Kept(replace(search(), policy=policy), store, {})


def test_only_what_is_read_is_kept(store: Store) -> None:
    with pytest.raises(ContractBroken):
        Kept(replace(search(), method="POST"), store, {})


def test_a_route_that_asks_for_nothing_is_not_kept(store: Store) -> None:
    cache = Cache(store, VenueNames(lambda _: None))  # type: ignore[arg-type,return-value]
    assert [route for route in routes() if cache.of(route) is not None] == [
        route for route in routes() if route.policy.edge_seconds
    ]


async def test_a_slug_is_asked_for_once_a_minute() -> None:
    asked: list[str] = []
    now = [0.0]

    async def ask(slug: str) -> str:
        asked.append(slug)
        if slug == "nobodys":
            raise VenueNotFound
        return f"ven_of_{slug}"

    names = VenueNames(ask, clock=lambda: now[0])
    assert [await names.id_of("a"), await names.id_of("a"), await names.id_of("nobodys")] == [
        "ven_of_a",
        "ven_of_a",
        None,
    ]
    assert asked == ["a", "nobodys"]
    now[0] = 61.0
    await names.id_of("a")
    await names.id_of("nobodys")
    assert asked == ["a", "nobodys", "a", "nobodys"]
