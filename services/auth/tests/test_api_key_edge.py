"""API keys behind the real guard: messages, who may, and what an answer never tells."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from auth.app import App
from auth.servicer import servicers
from comptoir.auth.v1 import key_pb2 as pb
from comptoir.auth.v1.key_pb2_grpc import ApiKeyDirectoryServiceStub, ApiKeyServiceStub
from servicekit import ids
from servicekit.errors import AppError
from servicekit.identity import Caller
from testkit.callers import service
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import People
from .staff import hire, log_in

OWNER = "paulette@example.org"


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def call(edge: Edge, method: str, caller: Caller | None, **values: Any) -> Any:
    if caller is not None:
        values.setdefault("organization_id", ids.show("org", caller.tenant))
    return await edge.call(
        ApiKeyServiceStub, method, getattr(pb, f"{method}Request")(**values), caller=caller
    )


async def refusal(edge: Edge, method: str, caller: Caller | None, **values: Any) -> str:
    with pytest.raises(AppError) as refused:
        await call(edge, method, caller, **values)
    return refused.value.reason


async def exchange(edge: Edge, key: str, *, by: str = "gateway") -> Any:
    request = pb.ExchangeKeyRequest(key=key)
    return await edge.call(ApiKeyDirectoryServiceStub, "ExchangeKey", request, caller=service(by))


async def test_the_life_of_a_key(edge: Edge, owner: Caller) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    venue = ids.new()
    wish = pb.CreateApiKeyRequest(
        organization_id=ids.show("org", owner.tenant),
        name=" Till ",
        permissions=["bookings.read", "bookings.write"],
        venue_ids=[ids.show("ven", venue)],
        networks=["192.0.2.0/24"],
        daily_quota=500,
        rate_class=pb.API_KEY_RATE_CLASS_BULK,
    )
    wish.expires_at.FromDatetime(ends)
    made = await edge.call(ApiKeyServiceStub, "CreateApiKey", wish, caller=owner)
    assert made.secret.startswith(made.key.prefix)
    assert (made.key.name, made.key.daily_quota, made.key.sandbox) == ("Till", 500, False)
    told = await exchange(edge, made.secret)
    assert told.organization_id == owner.tenant.bytes
    assert ids.show("key", UUID(bytes=told.key_id)) == made.key.id
    assert list(told.permissions) == ["bookings.read", "bookings.write"]
    assert list(told.venue_ids) == [venue.bytes]
    assert (list(told.networks), told.daily_quota) == (["192.0.2.0/24"], 500)
    assert told.rate_class == pb.API_KEY_RATE_CLASS_BULK
    assert told.until.ToDatetime(UTC) == ends

    rotated = await call(edge, "RotateApiKey", owner, key_id=made.key.id, grace_seconds=60)
    assert rotated.secret != made.secret
    assert (rotated.key.id, rotated.key.prefix) == (made.key.id, made.key.prefix)
    assert (await exchange(edge, made.secret)).until == rotated.key.previous_secret_until
    (listed,) = (await call(edge, "ListApiKeys", owner)).items
    assert listed.HasField("last_used_at")
    assert made.secret[-30:] not in str(listed)

    await call(edge, "RevokeApiKey", owner, key_id=made.key.id)
    for text in (made.secret, rotated.secret):
        with pytest.raises(AppError) as refused:
            await exchange(edge, text)
        assert refused.value.reason == "UNAUTHENTICATED"
    (listed,) = (await call(edge, "ListApiKeys", owner)).items
    assert listed.revoke_reason == "revoked"


async def test_a_test_key_acts_in_the_sandbox(edge: Edge, owner: Caller) -> None:
    made = await call(edge, "CreateApiKey", owner, name="Till", permissions=["venues.write"], sandbox=True)
    assert made.secret.startswith("cpt_test_")
    told = await exchange(edge, made.secret)
    assert told.organization_id != owner.tenant.bytes
    assert made.key.acts_in == ids.show("org", UUID(bytes=told.organization_id))


async def test_only_the_gateway_exchanges_keys(edge: Edge, owner: Caller) -> None:
    made = await call(edge, "CreateApiKey", owner, name="Till", permissions=["venues.read"])
    with pytest.raises(AppError) as refused:
        await exchange(edge, made.secret, by="booking")
    assert refused.value.reason == "PERMISSION_DENIED"


async def test_reports_of_leaks_are_answered_the_same_whatever_they_are(edge: Edge, owner: Caller) -> None:
    made = await call(edge, "CreateApiKey", owner, name="Till", permissions=["venues.read"])
    for text in ("no key", made.secret[:-1] + "!", made.secret, made.secret):
        answer = await call(edge, "ReportLeakedKey", None, key=text)
        assert answer == pb.ReportLeakedKeyResponse()
    (listed,) = (await call(edge, "ListApiKeys", owner)).items
    assert listed.revoke_reason == "leaked"


async def test_making_keys_wants_a_person_with_fresh_credentials(
    edge: Edge, people: People, owner: Caller
) -> None:
    wish = {"name": "Till", "permissions": ["venues.read"]}
    stale = replace(owner, authenticated_at=owner.authenticated_at - 3700)
    assert await refusal(edge, "CreateApiKey", stale, **wish) == "FRESH_AUTHENTICATION_REQUIRED"
    assert await refusal(edge, "RotateApiKey", stale, key_id="key_x") == "FRESH_AUTHENTICATION_REQUIRED"
    key = replace(owner, user=None, session=None, key=ids.new())
    assert await refusal(edge, "CreateApiKey", key, **wish) == "UNAUTHENTICATED"
    host = await hire(people, owner, "odette@example.org", "manager")
    for method in ("CreateApiKey", "RotateApiKey", "RevokeApiKey", "ListApiKeys"):
        values = wish if method == "CreateApiKey" else {} if method == "ListApiKeys" else {"key_id": "key_x"}
        assert await refusal(edge, method, host, **values) == "PERMISSION_DENIED"


async def test_keys_of_another_organization_are_not_found_nor_is_it(
    edge: Edge, people: People, owner: Caller
) -> None:
    made = await call(edge, "CreateApiKey", owner, name="Till", permissions=["venues.read"])
    await people.own("marcel@example.org")
    stranger = await log_in(people, "marcel@example.org")
    here = ids.show("org", owner.tenant)
    for method in ("RotateApiKey", "RevokeApiKey"):
        for key_id in (made.key.id, ids.show("key", ids.new()), "key_x"):
            assert await refusal(edge, method, stranger, key_id=key_id) == "API_KEY_NOT_FOUND"
        foreign = {"organization_id": here, "key_id": made.key.id}
        assert await refusal(edge, method, stranger, **foreign) == "ORGANIZATION_NOT_FOUND"
    wish = {"organization_id": here, "name": "Till", "permissions": ["venues.read"]}
    assert await refusal(edge, "CreateApiKey", stranger, **wish) == "ORGANIZATION_NOT_FOUND"
    assert await refusal(edge, "ListApiKeys", stranger, organization_id=here) == "ORGANIZATION_NOT_FOUND"
    assert await exchange(edge, made.secret)
