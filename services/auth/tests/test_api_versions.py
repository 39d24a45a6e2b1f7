"""Keys and the version of the API that they are pinned to at their first use, and only upwards from there."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from auth.app import App
from auth.domain.api_keys import ApiKey, ApiKeyNotFound, ApiVersionNotRaised, ApiVersionUnknown, Rules
from auth.domain.audit import Action
from auth.servicer import servicers
from auth.usecases import api_keys
from comptoir.auth.v1 import key_pb2 as pb
from comptoir.auth.v1.key_pb2_grpc import ApiKeyDirectoryServiceStub
from servicekit import ids
from servicekit.api_versions import NEWEST, VERSIONS
from servicekit.identity import Caller
from servicekit.paging import Page
from testkit.callers import service
from testkit.plugin import StartEdge

from .conftest import People
from .staff import by, hire, log_in
from .test_api_key_edge import call, refusal

OWNER = "paulette@example.org"
OLD = VERSIONS[0]


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def make(app: App, owner: Caller) -> tuple[ApiKey, str]:
    assert owner.user is not None
    rules = Rules("Till", frozenset({"bookings.read"}))
    issued = await api_keys.create_key(app, owner, rules, user_id=owner.user, by=by(owner))
    return issued.key, issued.text


async def pinned(app: App, text: str, newest: str = "") -> str | None:
    return (await api_keys.exchange_key(app, text, newest))[0].pinned_version


async def test_the_first_use_pins_a_key_and_later_ones_do_not(app: App, owner: Caller) -> None:
    key, text = await make(app, owner)
    assert key.pinned_version is None
    assert await pinned(app, text) is None, "a gateway of before says no version"
    assert await pinned(app, text, OLD) == OLD
    assert await pinned(app, text, NEWEST) == OLD
    (listed,), _ = await api_keys.list_keys(app, owner.tenant, Page(50, None, ""))
    assert listed.pinned_version == OLD


async def test_of_gateways_that_see_a_key_first_at_once_all_hear_one_version(app: App, owner: Caller) -> None:
    _, text = await make(app, owner)
    heard = await asyncio.gather(*(pinned(app, text, version) for version in (*VERSIONS, *VERSIONS) * 3))
    assert len(set(heard)) == 1
    assert set(heard) <= set(VERSIONS)


async def test_a_pin_is_raised_never_lowered_and_the_log_says_so_once(
    app: App, people: People, owner: Caller
) -> None:
    key, text = await make(app, owner)
    await pinned(app, text, OLD)
    for _ in range(2):
        raised = await api_keys.raise_version(app, owner, key.id, NEWEST, by=by(owner))
        assert raised.pinned_version == NEWEST
    assert await pinned(app, text, OLD) == NEWEST
    with pytest.raises(ApiVersionNotRaised):
        await api_keys.raise_version(app, owner, key.id, OLD, by=by(owner))
    with pytest.raises(ApiVersionUnknown):
        await api_keys.raise_version(app, owner, key.id, "2026-10-31", by=by(owner))
    with pytest.raises(ApiKeyNotFound):
        await api_keys.raise_version(app, owner, ids.new(), NEWEST, by=by(owner))
    log = [each.action for each in await people.log(owner.tenant)]
    assert log.count(Action.API_KEY_VERSION_RAISED) == 1


async def test_a_new_secret_keeps_the_pin(app: App, owner: Caller) -> None:
    key, text = await make(app, owner)
    await pinned(app, text, OLD)
    rotated = await api_keys.rotate_key(app, owner, key.id, grace=timedelta(), by=by(owner))
    assert await pinned(app, rotated.text, NEWEST) == OLD


async def test_pins_through_the_edge(app: App, people: People, owner: Caller, rpc_edge: StartEdge) -> None:
    edge = await rpc_edge("auth", servicers(app))
    made = await call(edge, "CreateApiKey", owner, name="Till", permissions=["venues.read"])
    assert made.key.pinned_version == ""
    request = pb.ExchangeKeyRequest(key=made.secret, newest_version=OLD)
    told = await edge.call(ApiKeyDirectoryServiceStub, "ExchangeKey", request, caller=service("gateway"))
    assert told.pinned_version == OLD
    wish = {"key_id": made.key.id, "version": NEWEST}
    manager = await hire(people, owner, "odette@example.org", "manager")
    assert await refusal(edge, "RaiseApiKeyVersion", manager, **wish) == "PERMISSION_DENIED"
    await people.own("elsewhere@example.org")
    stranger = await log_in(people, "elsewhere@example.org")
    assert await refusal(edge, "RaiseApiKeyVersion", stranger, **wish) == "API_KEY_NOT_FOUND"
    stale = replace(owner, authenticated_at=owner.authenticated_at - 3700)
    raised = await call(edge, "RaiseApiKeyVersion", stale, **wish)
    assert raised.key.pinned_version == NEWEST
    (listed,) = (await call(edge, "ListApiKeys", owner)).items
    assert listed.pinned_version == NEWEST
    assert await refusal(edge, "RaiseApiKeyVersion", owner, **wish | {"version": "soon"}) == "INVALID_REQUEST"
