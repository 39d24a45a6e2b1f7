"""Where a client is: nobody writes it but a trusted proxy, and whatever is no address counts for nothing."""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.client_address import client_address, place
from gateway.http import Request

PEER = "198.51.100.1"
ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:0DB8:0:0::0007", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("[fe80::7%25eth0]:4711", "fe80::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:c000:207]:4711", "192.0.2.7"),
        ("", PEER),
        ("unknown", PEER),
        ("_hidden", PEER),
        ("192.0.2.7.8", PEER),
        ("192.0.2.007", PEER),
        ("192.0.2.7:port", PEER),
        ("[2001:db8::7", PEER),
        ("for=192.0.2.7", PEER),
        ("192.0.2.7\x00", PEER),
        ("٣.0.2.7", PEER),
        ("1" * 5000, PEER),
    ],
)
def test_what_a_trusted_proxy_wrote_is_read_or_counts_for_nothing(written: str, address: str) -> None:
    header = f"203.0.113.66, {written}".encode("utf-8", "replace")
    assert client_address(PEER, header, 1) == address


@settings(deadline=None)
@given(st.lists(st.text() | ADDRESSES, max_size=4), ADDRESSES)
def test_nothing_that_a_client_writes_moves_what_the_proxy_saw(forged: list[str], seen: str) -> None:
    header = ", ".join([*forged, seen]).encode("utf-8", "surrogatepass")
    found = ip_address(client_address(PEER, header, 1))
    expected = ip_address(seen)
    assert found == (getattr(expected, "ipv4_mapped", None) or expected)
    assert client_address(PEER, header, 0) == PEER


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 3))
def test_it_is_always_an_address(header: bytes, trusted: int) -> None:
    assert str(ip_address(client_address(PEER, header, trusted)))


def _address(headers: list[bytes], trusted: int, client: Any) -> str:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"x-forwarded-for", each) for each in headers],
        "client": client,
    }

    async def receive() -> dict[str, Any]:
        raise AssertionError

    return Request.of(scope, receive, trusted_proxies=trusted).address


@pytest.mark.parametrize(
    ("headers", "trusted", "address"),
    [
        ([b"203.0.113.66"], 0, PEER),
        ([b"203.0.113.66", b"192.0.2.7"], 1, "192.0.2.7"),
        ([b"203.0.113.66", b"192.0.2.7, 10.0.0.1"], 2, "192.0.2.7"),
        ([b"192.0.2.7"], 2, PEER),
        ([], 1, PEER),
        ([b",,,"], 1, PEER),
    ],
)
def test_all_headers_are_one_list_and_each_trusted_proxy_wrote_one_element(
    headers: list[bytes], trusted: int, address: str
) -> None:
    assert _address(headers, trusted, (PEER, 4711)) == address


def test_a_connection_without_an_address_is_nobodys() -> None:
    assert _address([b"203.0.113.66"], 0, None) == ""


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_what_is_limited_as_one_place(address: str, counted: str) -> None:
    assert place(address) == counted
