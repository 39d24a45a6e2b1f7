"""All checks of scim2-tester, through the real gateway: it tells what of RFC 7643 and 7644 we get wrong."""

import asyncio
import uuid
from typing import Annotated, Any

import httpx
import pytest
from pydantic import Field
from scim2_client import BaseSyncSCIMClient
from scim2_models import Required, ScimProvider, Uniqueness
from scim2_tester import CheckResult, Status, check_server

from auth.app import App
from auth.servicer import servicers
from auth.servicer.scim import models
from testkit.keys import Keys
from testkit.plugin import StartEdge

from .conftest import People
from .providers_of_people import Directory, directory_at, gateway_before, open_corp, token_of, with_dns
from .staff import log_in, own_connection

OWNER = "paulette@corp.example"


class FreshAddresses(list[str]):
    """Examples without end: the tester takes one of these for each user that it makes or renames."""

    def __getitem__(self, _index: Any) -> Any:
        return f"{uuid.uuid4()}@corp.example"


class User(models.User):
    """Users as we publish them, with addresses that our domain has."""

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = Field(
        None, examples=FreshAddresses(["anybody@corp.example"])
    )


class Client(BaseSyncSCIMClient):
    """Calls the gateway in the loop of the test, from the thread of the tester."""

    def __init__(self, directory: Directory, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(provider=ScimProvider(models=[User, models.Group]))
        self._directory = directory
        self._loop = loop

    def request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._directory.token}"} | dict(
            kwargs.pop("headers", None) or {}
        )
        sent = self._directory.http.request(method, f"/scim/v2/{url.lstrip('/')}", headers=headers, **kwargs)
        return asyncio.run_coroutine_threadsafe(sent, self._loop).result(timeout=30)

    def _parse_json(self, response: Any) -> Any:
        return response.json()

    def _stays_under_base_url(self, _endpoint: str) -> bool:
        return True


EVERYWHERE = {
    "object_creation",
    "object_query",
    "object_query_without_id",
    "object_query_with_attributes",
    "object_list_with_attributes",
    "search_with_attributes",
    "object_replacement",
    "object_deletion",
    "check_add_attribute",
    "check_remove_attribute",
    "check_replace_attribute",
}
"""What the tester does with users, and with groups."""


async def check(gateway: object, token: str, *kinds: str) -> list[CheckResult]:
    """What the tester says."""
    async with directory_at(gateway, token) as directory:
        client = Client(directory, asyncio.get_running_loop())
        return await asyncio.to_thread(check_server, client, resource_types=list(kinds))


@pytest.mark.timeout(300)
async def test_every_check_of_the_tester_is_green(
    app: App, people: People, rpc_edge: StartEdge, keys: Keys
) -> None:
    app = with_dns(app)
    edge = await rpc_edge("auth", servicers(app), app.db)
    async with open_corp(app, people, edge, keys) as corp:
        results = await check(corp.gateway, corp.directory.token)
    assert [f"{each.title}: {each.reason}" for each in results if each.status is not Status.SUCCESS] == []
    for kind in ("User", "Group"):
        assert {each.title for each in results if each.resource_type == kind} == EVERYWHERE
    assert {"random_url", "query_all_schemas", "service_provider_config_endpoint"} <= {
        each.title for each in results
    }


async def test_the_tester_sees_a_service_that_takes_nobody(
    app: App, people: People, rpc_edge: StartEdge, keys: Keys
) -> None:
    """The control: no domain is verified, so that no user can be made."""
    edge = await rpc_edge("auth", servicers(app), app.db)
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    token = await token_of(app, owner, await own_connection(app, owner, "corp.example"))
    async with gateway_before(edge, keys) as gateway:
        results = await check(gateway, token, "User")
    failed = {each.title for each in results if each.status is Status.ERROR}
    assert failed == EVERYWHERE
