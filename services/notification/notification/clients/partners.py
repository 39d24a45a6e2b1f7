"""Posts to partners' URLs without ever reaching into the operator's own network."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from aiohttp import AddrInfoType
from aiohttp.client_exceptions import ConnectionTimeoutError

from notification.domain.addresses import may_connect
from notification.domain.errors import WebhookUrlRefused
from notification.domain.webhooks import Answer
from notification.settings import WebhookSettings
from servicekit.errors import Violation

_MOST_BYTES = 16 * 1024
_GONE = 410
_CONNECTIONS = 100
_LOOK_UP_SECONDS = 3


class ForbiddenAddress(OSError):
    """The address is not one that webhooks may be posted to."""


class Partners:
    """An HTTP client that checks every address when it makes the socket: literal, or what DNS says *now*.

    So no name can point elsewhere between check and use. Redirects are not followed, proxies and netrc of
    the environment are not read, cookies are not kept, and connections are not shared between tries.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        connector = aiohttp.TCPConnector(
            socket_factory=self._socket,
            force_close=True,
            use_dns_cache=False,
            limit=_CONNECTIONS,
            resolver=aiohttp.ThreadedResolver(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=settings.timeout_seconds),
            headers={"User-Agent": "Comptoir-Webhooks/1"},
        )

    async def refuse(self, url: str) -> None:
        """A courtesy to whoever registers a URL that could never work; what counts is checked at each try.

        Raises:
            WebhookUrlRefused: not HTTPS, with a password in it, or inside a private network.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise _refusal("must have a valid host and port") from error
        if parts.scheme != "https" and not (parts.scheme == "http" and self._settings.allow_http):
            raise _refusal("must be an https URL")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _refusal("must not have a user name, a password or a fragment")
        if not host or "" in host.removesuffix(".").split("."):
            raise _refusal("must name a host")
        if port == 0:
            raise _refusal("must not name port 0")
        addresses = await _resolve(host, port or 443)
        if addresses and not any(self._may_connect(address) for address in addresses):
            raise _refusal("must not be inside a private network")

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One try within the total timeout. Never raises for what the partner or the network does."""
        try:
            if urlsplit(url).scheme != "https" and not self._settings.allow_http:
                return Answer(0, "https_only")
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                await response.content.read(_MOST_BYTES)
                wait = _retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
                return Answer(response.status, _word(response.status), wait)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Answer(0, _failure(error))

    async def close(self) -> None:
        """Closes what is open."""
        await self._session.close()

    def _may_connect(self, address: str) -> bool:
        return may_connect(address, self._settings.allowed_networks)

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._may_connect(str(address[0])):
            raise ForbiddenAddress("address not allowed")
        return socket.socket(family=family, type=kind, proto=protocol)


async def _resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host; none when the name is not known (yet)."""
    try:
        async with asyncio.timeout(_LOOK_UP_SECONDS):
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return [str(info[4][0]) for info in infos]


def _refusal(message: str) -> WebhookUrlRefused:
    return WebhookUrlRefused(violations=[Violation("/url", message)])


def _word(status: int) -> str:
    match status // 100:
        case 2:
            return ""
        case 3:
            return "redirect"
        case _:
            return "gone" if status == _GONE else "http_error"


def _failure(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ForbiddenAddress():
                return "address_not_allowed"
            case ssl.SSLError() | ssl.CertificateError():
                return "tls"
            case aiohttp.ClientConnectorDNSError() | socket.gaierror():
                return "unknown_host"
            case ConnectionTimeoutError() | TimeoutError():
                return "timeout"
        cause = getattr(cause, "os_error", None) or cause.__cause__
    return "connection" if isinstance(error, (aiohttp.ClientConnectionError, OSError)) else "bad_answer"


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait of a Retry-After header (RFC 9110 §10.2.3): seconds or a date; None when it says neither."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(moment - now, timedelta())
