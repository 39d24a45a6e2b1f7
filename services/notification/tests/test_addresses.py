"""No webhook reaches into the operator's network: by address, by name, by redirect or by disguise."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network

import pytest
from aiohttp import web

from notification.clients.partners import Partners
from notification.domain.addresses import may_connect
from notification.domain.errors import WebhookUrlRefused
from notification.settings import WebhookSettings

from .conftest import Partner

_LOCAL = WebhookSettings(allow_http=True, allowed_networks=(ip_network("127.0.0.0/8"),), timeout_seconds=3)
FORBIDDEN = [
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "localhost",
    "2130706433",
    "0x7f.1",
    "",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4007::200e",
    "::ffff:8.8.8.8",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_special_address_is_forbidden(address: str) -> None:
    assert not may_connect(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert may_connect(address, ())


def test_an_allowed_network_is_allowed_also_in_disguise() -> None:
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    assert may_connect("10.1.2.3", allowed)
    assert may_connect("::ffff:10.1.2.3", allowed)
    assert may_connect("fd00::5", allowed)
    assert not may_connect("10.2.0.1", allowed)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "127.1",
        "0x7f000001",
        "0.0.0.0",  # noqa: S104
    ],
)
async def test_no_way_of_writing_loopback_connects(partner: Partner, host: str) -> None:
    partners = Partners(WebhookSettings(allow_http=True, timeout_seconds=3))
    answer = await partners.post(partner.url.replace("127.0.0.1", host), body=b"{}", headers={})
    await partners.close()
    assert answer.status == 0
    assert answer.error in ("address_not_allowed", "bad_answer", "unknown_host", "connection")
    assert partner.posts == []


async def test_the_same_post_arrives_where_it_is_allowed(partner: Partner) -> None:
    """The control of the test above: nothing but the guard stands in the way."""
    partners = Partners(_LOCAL)
    answer = await partners.post(partner.url, body=b"{}", headers={})
    await partners.close()
    assert (answer.status, answer.error) == (204, "")


async def test_a_guarded_name_says_so(partner: Partner) -> None:
    partners = Partners(WebhookSettings(allow_http=True))
    answer = await partners.post(partner.url, body=b"{}", headers={})
    await partners.close()
    assert answer.error == "address_not_allowed"


async def test_http_is_refused_unless_allowed(partner: Partner) -> None:
    partners = Partners(WebhookSettings(allowed_networks=(ip_network("127.0.0.0/8"),)))
    answer = await partners.post(partner.url, body=b"{}", headers={})
    await partners.close()
    assert (answer.error, partner.posts) == ("https_only", [])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "ftp://example.org/hook",
        "https://user:secret@example.org/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://[::1]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://example.org:99999/hook",
        "https:///hook",
        "https://example.org/hook#part",
    ],
)
async def test_registration_refuses_what_could_never_work(url: str) -> None:
    partners = Partners(WebhookSettings())
    with pytest.raises(WebhookUrlRefused) as raised:
        await partners.refuse(url)
    await partners.close()
    assert raised.value.violations[0].pointer == "/url"


async def test_a_name_that_is_not_known_yet_may_be_registered() -> None:
    partners = Partners(WebhookSettings())
    await partners.refuse("https://not-yet.invalid/hook")
    await partners.close()


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Fri, 01 Jan 2100 00:00:00 GMT", timedelta(days=1)),
        ("Fri, 01 Jan 2010 00:00:00 GMT", timedelta()),
        ("soon", None),
        ("-5", None),
        ("9" * 40, timedelta(days=1)),
    ],
)
async def test_retry_after_is_read(partner: Partner, header: str, wait: timedelta | None) -> None:
    partners = Partners(_LOCAL)
    partner.answers = [web.Response(status=503, headers={"Retry-After": header})]
    answer = await partners.post(partner.url, body=b"{}", headers={})
    await partners.close()
    assert (answer.status, answer.error) == (503, "http_error")
    assert (answer.retry_after and min(answer.retry_after, timedelta(days=1))) == wait


async def test_a_partner_that_does_not_answer_is_left_in_time(partner: Partner) -> None:
    partner.hangs = asyncio.Event()
    partners = Partners(_LOCAL.model_copy(update={"timeout_seconds": 0.2}))
    answer = await partners.post(partner.url, body=b"{}", headers={})
    await partners.close()
    assert (answer.status, answer.error) == (0, "timeout")


@pytest.mark.parametrize(
    ("url", "word"),
    [("https://nobody.invalid/hook", "unknown_host"), ("http://127.0.0.1:1/hook", "connection")],
)
async def test_what_went_wrong_is_said_in_a_word(url: str, word: str) -> None:
    partners = Partners(_LOCAL)
    answer = await partners.post(url, body=b"{}", headers={})
    await partners.close()
    assert (answer.status, answer.error) == (0, word)


async def test_a_partner_without_a_trusted_certificate_gets_nothing(partner: Partner) -> None:
    partners = Partners(_LOCAL)
    answer = await partners.post(partner.url.replace("http:", "https:"), body=b"{}", headers={})
    await partners.close()
    assert (answer.status, answer.error, partner.posts) == (0, "tls", [])


async def test_an_endless_answer_is_not_read_to_its_end(partner: Partner) -> None:
    partner.answers = [web.Response(status=200, body=b"x" * 50_000_000)]
    partners = Partners(_LOCAL)
    answer = await partners.post(partner.url, body=b"{}", headers={})
    await partners.close()
    assert (answer.status, answer.error) == (200, "")
