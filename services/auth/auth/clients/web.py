"""Asks log-in providers over HTTP without ever reaching into the operator's own network."""

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp import AddrInfoType

from auth.settings import SsoSettings
from servicekit import held
from servicekit.addresses import may_connect

_MOST_BYTES = 256 * 1024
_SECONDS = 5
_OK = 200


class Unanswered(Exception):
    """There is no usable answer; the text is one word that says why and holds no secret."""


class ForbiddenAddress(OSError):
    """The address is not one that may be asked."""


class Web:
    """An HTTP client that checks every address when it makes the socket: literal, or what DNS says *now*.

    So no name can point elsewhere between check and use. Redirects are not followed, proxies and netrc of the
    environment are not read, cookies are not kept. An answer has five seconds and 256 KiB.
    """

    def __init__(self, settings: SsoSettings) -> None:
        self._settings = settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                socket_factory=self._socket,
                force_close=True,
                use_dns_cache=False,
                resolver=aiohttp.ThreadedResolver(),
            ),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
            headers={"User-Agent": "Comptoir", "Accept": "application/json"},
        )

    async def get(self, url: str, *, token: str = "") -> Any:
        """What JSON stands at the URL; `token` is sent as a bearer.

        Raises:
            Unanswered: none does.
        """
        return await self._ask("GET", url, headers={"Authorization": f"Bearer {token}"} if token else {})

    async def post(
        self, url: str, form: Mapping[str, str], *, basic: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        """What JSON object answers a form; `basic` is user name and password, encoded already.

        Raises:
            Unanswered: none does.
        """
        headers = {"Authorization": aiohttp.encode_basic_auth(*basic)} if basic else {}
        answer = await self._ask("POST", url, headers=headers, data=form)
        if not isinstance(answer, dict):
            raise Unanswered("no_object")
        return answer

    async def close(self) -> None:
        """Closes what is open."""
        await self._session.close()

    async def _ask(self, method: str, url: str, **sent: Any) -> Any:
        await held.settle()
        try:
            scheme = urlsplit(url).scheme
            if scheme != "https" and not (scheme == "http" and self._settings.allow_http):
                raise Unanswered("https_only")
            async with self._session.request(method, url, allow_redirects=False, **sent) as response:
                body = bytearray()
                async for chunk in response.content.iter_chunked(_MOST_BYTES):
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise Unanswered("too_large")
                if response.status != _OK:
                    raise Unanswered(f"status_{response.status}")
            return orjson.loads(bytes(body))
        except orjson.JSONDecodeError as error:
            raise Unanswered("no_json") from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unanswered("connection") from error

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_connect(str(address[0]), self._settings.allowed_networks):
            raise ForbiddenAddress("address not allowed")
        return socket.socket(family=family, type=kind, proto=protocol)
