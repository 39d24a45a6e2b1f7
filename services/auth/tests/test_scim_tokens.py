"""The token of a connection, and what the protocol refuses, each in the form of SCIM."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import Action
from auth.domain.scim_tokens import (
    LONGEST_GRACE,
    NoScimToken,
    ScimToken,
    ScimTokenExists,
    ScimTokenText,
)
from auth.servicer import servicers
from auth.tables import SCIM_TOKENS
from auth.usecases import connections, scim_tokens
from comptoir.auth.v1 import scim_pb2
from comptoir.auth.v1.scim_pb2_grpc import ScimServiceStub, ScimTokenServiceStub
from servicekit import api_keys, ids
from servicekit.errors import AppError, FreshAuthenticationRequired, PermissionDenied, Unauthenticated
from testkit.callers import service
from testkit.edge import Edge
from testkit.keys import Keys
from testkit.plugin import StartEdge

from .conftest import People
from .providers_of_people import Corp, directory_at, open_corp, with_dns
from .staff import by, hire

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def corp(app: App, people: People, edge: Edge, keys: Keys) -> AsyncIterator[Corp]:
    async with open_corp(app, people, edge, keys) as opened:
        yield opened


def test_a_token_is_no_api_key_and_scanners_know_it() -> None:
    text = ScimTokenText.make()
    shown = text.show()
    assert shown.startswith(f"cpt_scim_{text.short_id}_")
    assert ScimTokenText.parse(shown) == text
    assert api_keys.parse(shown) is None
    assert text.secret not in repr(text)
    for wrong in (shown[:-1], shown[:-1] + ("0" if shown[-1] != "0" else "1"), shown.swapcase(), ""):
        assert ScimTokenText.parse(wrong) is None


def test_the_secret_before_holds_for_the_grace_and_no_older_one() -> None:
    token = ScimToken(ids.new(), ids.new(), "short", b"1" * 32, NOW)
    second = token.rotate(b"2" * 32, grace=timedelta(hours=1), now=NOW)
    assert second.holds(b"1" * 32, NOW + timedelta(minutes=59))
    assert second.holds(b"2" * 32, NOW + timedelta(days=900))
    assert not second.holds(b"1" * 32, NOW + timedelta(hours=1))
    third = second.rotate(b"3" * 32, grace=timedelta(days=30), now=NOW)
    assert not third.holds(b"1" * 32, NOW)
    assert third.previous_until == NOW + LONGEST_GRACE
    assert not third.rotate(b"4" * 32, grace=timedelta(), now=NOW).holds(b"3" * 32, NOW)
    assert not token.holds(b"0" * 32, NOW)


async def test_a_token_is_shown_once_rotated_and_revoked(corp: Corp) -> None:
    first = corp.directory.token
    with pytest.raises(ScimTokenExists):
        await scim_tokens.create_token(corp.app, corp.owner, corp.connection.id, by=by(corp.owner))
    rotated = await scim_tokens.rotate_token(
        corp.app, corp.owner, corp.connection.id, grace=timedelta(hours=1), by=by(corp.owner)
    )
    assert rotated.text not in repr(rotated)
    for token in (first, rotated.text):
        corp.directory.token = token
        assert (await corp.directory.ask("GET", "Users")).status_code == 200
    told = await scim_tokens.get_token(corp.app, corp.owner.tenant, corp.connection.id)
    assert told.last_used_at is not None
    async with corp.app.db.begin_platform(reason="look into the database in a test") as tx:
        (kept,) = (await tx.execute(sa.select(SCIM_TOKENS))).all()
    assert first[-30:-6] not in str(kept)
    assert rotated.text[-30:-6] not in str(kept)
    for _ in range(2):
        await scim_tokens.revoke_token(corp.app, corp.owner, corp.connection.id, by=by(corp.owner))
    for token in (first, rotated.text):
        corp.directory.token = token
        assert (await corp.directory.ask("GET", "Users")).status_code == 401
    with pytest.raises(NoScimToken):
        await scim_tokens.get_token(corp.app, corp.owner.tenant, corp.connection.id)
    actions = [action for _, action in await corp.actions() if action.startswith("scim_token")]
    assert actions == [Action.SCIM_TOKEN_CREATED, Action.SCIM_TOKEN_ROTATED, Action.SCIM_TOKEN_REVOKED]


async def test_a_connection_that_goes_takes_its_token_along(corp: Corp) -> None:
    await corp.directory.hire("odette@corp.example")
    await connections.delete_connection(corp.app, corp.owner, corp.connection.id, by=by(corp.owner))
    assert (await corp.directory.ask("GET", "Users")).status_code == 401
    assert (await corp.roles())["odette@corp.example"] == "viewer"


async def test_owners_alone_make_tokens_and_with_fresh_credentials(
    corp: Corp, edge: Edge, people: People
) -> None:
    wish = scim_pb2.RotateScimTokenRequest(
        organization_id=ids.show("org", corp.owner.tenant), connection_id=ids.show("con", corp.connection.id)
    )
    admin = await hire(people, corp.owner, "odette@corp.example", "admin")
    with pytest.raises(AppError) as refused:
        await edge.call(ScimTokenServiceStub, "RotateScimToken", wish, caller=admin)
    assert refused.value.reason == PermissionDenied.reason
    assert corp.owner.authenticated_at is not None
    stale = replace(corp.owner, authenticated_at=corp.owner.authenticated_at - 61 * 60)
    with pytest.raises(AppError) as refused:
        await edge.call(ScimTokenServiceStub, "RotateScimToken", wish, caller=stale)
    assert refused.value.reason == FreshAuthenticationRequired.reason
    told = await edge.call(ScimTokenServiceStub, "RotateScimToken", wish, caller=corp.owner)
    assert told.secret.startswith(told.token.prefix)
    assert told.token.base_url == "https://api.example.org/scim/v2"


async def test_the_protocol_is_for_the_gateway_alone(edge: Edge, corp: Corp) -> None:
    message = scim_pb2.HandleScimRequest(method="GET", segments=["Users"], token=corp.directory.token)
    with pytest.raises(AppError) as refused:
        await edge.call(ScimServiceStub, "HandleScim", message, caller=service("booking"))
    assert refused.value.reason == PermissionDenied.reason
    with pytest.raises(AppError) as refused:
        await edge.call(ScimServiceStub, "HandleScim", message, caller=corp.owner)
    assert refused.value.reason in (PermissionDenied.reason, Unauthenticated.reason)


async def test_wrong_tokens_are_refused_in_the_form_of_scim_and_not_for_ever(corp: Corp) -> None:
    right = corp.directory.token
    async with directory_at(corp.gateway, ScimTokenText.make().show(), "198.51.100.9") as stranger:
        for token in (stranger.token, "", right[:-1]):
            stranger.token = token
            answer = await stranger.ask("GET", "Users")
            assert (answer.status_code, answer.json()["schemas"]) == (401, [ERROR])
            assert answer.headers["www-authenticate"].startswith("Bearer")
        stranger.token = right
        answer = await stranger.ask("GET", "Users")
        assert (answer.status_code, answer.json()["status"]) == (429, "429")
        assert int(answer.headers["retry-after"]) > 0
    assert (await corp.directory.ask("GET", "Users")).status_code == 200


@pytest.mark.parametrize(
    ("asked", "body", "status", "kind"),
    [
        ("GET Me", None, 501, None),
        ("POST Bulk", {}, 501, None),
        ("GET Pets", None, 404, None),
        ("GET Users/nobody", None, 404, None),
        ("GET ServiceProviderConfig/x", None, 404, None),
        ("DELETE Users", None, 405, None),
        ("POST Schemas", {}, 405, None),
        ("GET Users/.search", None, 405, None),
        ("GET Users?filter=userName", None, 400, "invalidFilter"),
        ("GET Users?filter=shoeSize%20eq%2042", None, 400, "invalidFilter"),
        ("GET Users?filter=meta.created%20pr", None, 400, "invalidFilter"),
        ("GET Users?filter=id%20sw%20%22scu%22", None, 400, "invalidFilter"),
        ("GET Users?filter=userName%20gt%20%22a%22", None, 400, "invalidFilter"),
        (f"GET Users?filter={'(' * 30}userName%20pr{')' * 30}", None, 400, "invalidFilter"),
        ("GET Users?count=many", None, 400, "invalidValue"),
        ("POST Users", [], 400, "invalidSyntax"),
        ("POST Users", {}, 400, "invalidValue"),
        ("POST Users", {"userName": 5}, 400, "invalidValue"),
        ("POST Users", {"userName": "a@corp.example", "displayName": "x" * 101}, 400, "invalidValue"),
        ("POST Users", {"userName": "a@corp.example", "displayName": "\u0000"}, 400, "invalidValue"),
        ("POST Users", {"userName": "a@corp.example", "externalId": "\u0007"}, 400, "invalidValue"),
        ("POST Groups", {}, 400, "invalidValue"),
        ("POST Groups", {"displayName": " "}, 400, "invalidValue"),
        ("POST Users", {"userName": "x" * 600_000}, 413, None),
        (f"GET Users?filter={'x' * 8000}", None, 400, "invalidValue"),
    ],
)
async def test_what_is_not_there_is_refused_in_the_form_of_scim(
    corp: Corp, asked: str, body: object, status: int, kind: str | None
) -> None:
    method, _, path = asked.partition(" ")
    answer = await corp.directory.ask(method, path, body)
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert (told["schemas"], told["status"], told.get("scimType")) == ([ERROR], str(status), kind)
    assert answer.headers["content-type"] == "application/scim+json"


async def test_patches_are_refused_in_the_form_of_scim(corp: Corp) -> None:
    path = f"Users/{(await corp.directory.hire('odette@corp.example'))['id']}"
    for operation, kind in (
        ({"op": "explode"}, "invalidValue"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "remove", "path": "displayName"}, "mutability"),
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": "displayName[", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "x" * 3000, "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
    ):
        answer = await corp.directory.patch(path, operation)
        assert (answer.status_code, answer.json().get("scimType")) == (400, kind), answer.text
    many = [{"op": "replace", "path": "active", "value": True}] * 101
    assert (await corp.directory.patch(path, *many)).status_code == 413
    assert (await corp.directory.ask("PATCH", path, {"Operations": []})).status_code == 400
    sent = {"Content_Type": "text/plain"}
    assert (await corp.directory.ask("PATCH", path, {}, **sent)).status_code == 415
