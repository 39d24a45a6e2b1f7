"""What browsers and proxies must not: read across origins, keep secrets, forge addresses, trace."""

import re
from importlib.resources import files
from typing import Any

import httpx
import pytest

from gateway import pages
from gateway.http import Request

SCRIPTS = [each for each in files(pages.__name__).iterdir() if each.name.endswith(".js")]
WRITERS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\bFunction\("
    r"|localStorage|sessionStorage|indexedDB|document\.cookie|postMessage"
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda each: each.name)
def test_no_script_of_a_page_writes_html_runs_text_or_keeps_anything(script: Any) -> None:
    assert not WRITERS.search(script.read_text(encoding="utf-8"))


def test_the_control_such_a_line_is_found() -> None:
    assert WRITERS.search('page.innerHTML = "<b>" + name')
    assert WRITERS.search("localStorage.setItem('token', token)")


async def test_a_field_for_a_password_is_masked_and_open_to_managers_and_paste(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get("/reset-password")).text
    (field,) = re.findall(r'<input [^>]*id="password"[^>]*>', page)
    assert 'type="password"' in field
    assert 'autocomplete="new-password"' in field
    assert "onpaste" not in page


@pytest.mark.parametrize("path", ["/v1/bookings", "/v1/auth/login", "/openapi.json", "/manage/t"])
async def test_no_other_origin_may_read_an_answer_or_is_given_leave_to_ask(
    client: httpx.AsyncClient, backend: Any, path: str
) -> None:
    origin = {"origin": "https://evil.example"}
    preflight = origin | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
    }
    for answer in (
        await client.options(path, headers=preflight),
        await client.get(path, headers=origin),
        await client.post(path, headers=origin, json={}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert backend.calls == 0 or path == "/v1/auth/login"


@pytest.mark.parametrize("path", ["/v1/bookings", "/healthz", "/docs", "/manage/t", "/no-such-path"])
@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG"])
async def test_no_method_shows_a_request_to_whoever_sent_it(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path, headers={"x-marker": "marker"})
    assert answer.status_code in {404, 405}
    assert "marker" not in answer.text


def _address(forwarded: list[str], trusted: int) -> str:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": headers,
        "client": ("198.51.100.1", 4711),
    }

    async def receive() -> dict[str, Any]:
        raise AssertionError

    return Request.of(scope, receive, trusted_proxies=trusted).address


def test_the_clients_address_is_what_the_outermost_trusted_proxy_saw() -> None:
    """Whatever the client wrote itself stands before it, and counts for nothing."""
    forged = "203.0.113.66"
    assert _address([forged], 0) == "198.51.100.1"
    assert _address(["192.0.2.7"], 1) == "192.0.2.7"
    assert _address([f"{forged}, 192.0.2.7"], 1) == "192.0.2.7"
    assert _address([forged, "192.0.2.7"], 1) == "192.0.2.7"
    assert _address([f"{forged}, 192.0.2.7, 10.0.0.1"], 2) == "192.0.2.7"
    assert _address([], 1) == "198.51.100.1"
    assert _address(["192.0.2.7"], 2) == "198.51.100.1"
