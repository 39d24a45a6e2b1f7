"""Sessions of browsers in cookies: tokens that no script reads, and a token against forged requests.

An Authorization header goes before any cookie. Whoever verifies that header verifies tokens in cookies.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from gateway.cors import CSRF_HEADER, SAFE_METHODS, SESSION_HEADER, Cors, is_own
from gateway.errors import CsrfTokenRequired, OriginNotAllowed
from gateway.http import JSON, Answer, Header, Request, safe
from gateway.queries import parameters
from gateway.session_routes import SessionRoutes
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller, CallerKind

ACCESS = "__Host-comptoir-access"
REFRESH = "__Host-comptoir-refresh"
SESSION = "__Host-comptoir-session"
"""Only we, over TLS and for this very host, can have set them (RFC 6265bis §4.1.3.2). The last names
session and organization, signed by us: it outlives the access token, so that a page loaded anew can go on."""

_ATTRIBUTES = b"; Path=/; Secure; HttpOnly; SameSite=Strict"
_PAIR = re.compile(r"\s*(__Host-comptoir-(?:access|refresh|session))=([A-Za-z0-9._~-]{1,4096})\s*")
_SEPARATOR = re.compile("[;,]")
_NEAR = (b"same-origin", b"same-site")
_PURPOSE = b"comptoir.gateway.cookies.v1"
_CSRF = b"csrf"
_NAMED = b"session"
_TEXT = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
_OK = range(200, 300)
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Session:
    """How the session of one request travels."""

    wanted: bool = False
    """Whether the client asked for cookies."""
    by_cookie: bool = False
    """Whether the request is made in the name of whoever the cookie says."""


@dataclass(frozen=True, slots=True)
class Named:
    """The session of a browser and its organization, as we wrote them into its cookie."""

    session: UUID
    organization: UUID


_NONE = Session()


class Cookies:
    """Puts sessions into cookies and reads them from there."""

    def __init__(self, key: bytes, cors: Cors, routes: SessionRoutes) -> None:
        self._key = key
        self._cors = cors
        self._routes = routes

    def enter(self, request: Request) -> tuple[Request, Session]:
        """The request as a client with tokens would have sent it, and how its session travels.

        Raises:
            OriginNotAllowed: it would change something, with a cookie, from a page that may not.
            CsrfTokenRequired: the same without the token of its session.
        """
        wanted = request.headers.get(SESSION_HEADER, b"").strip().lower() == b"cookie"
        cookie = request.headers.get(b"cookie")
        if (cookie is None and not wanted) or b"authorization" in request.headers:
            return request, Session(wanted=wanted) if wanted else _NONE
        jar = _read(cookie or b"")
        if not jar and not wanted:
            return request, _NONE
        named = self._named(jar.get(SESSION, ""))
        changes = request.method not in SAFE_METHODS
        if changes:
            self._refuse_foreign(request, named)
        key = request.method, request.path.decode("latin-1")
        if key in self._routes.trading and wanted and REFRESH in jar:
            self._refuse_forged(request, named)
            return _trading(request, jar[REFRESH]), Session(wanted=True, by_cookie=True)
        if ACCESS not in jar or key in self._routes.opening:
            return request, Session(wanted=wanted)
        if changes:
            self._refuse_forged(request, named)
        headers = request.headers | {b"authorization": b"Bearer " + jar[ACCESS].encode()}
        return replace(request, headers=headers), Session(wanted=wanted, by_cookie=True)

    def leave(self, request: Request, route: str, session: Session, answer: Answer) -> Answer:
        """The answer, its tokens in cookies where the session travels so. `route`: its template."""
        key = request.method, route
        if session.by_cookie and answer.status == _UNAUTHORIZED and key in self._routes.trading:
            return _with(answer, *_forgotten())
        if answer.status in _OK and key in self._routes.holders:
            return self._keep(answer, self._routes.holders[key])
        if session.by_cookie:
            own = safe((name, value) for name, value in answer.headers if name != b"cache-control")
            ended = answer.status in _OK and key in self._routes.ending
            return _with(replace(answer, headers=own), *(_forgotten() if ended else ()))
        return answer

    async def tell(self, request: Request, _variables: Sequence[str]) -> Answer:
        """GET /v1/auth/csrf: the token of the cookie's session, for a page that was loaded anew.

        Raises:
            Unauthenticated: the request has no session in a cookie.
            InvalidRequest: it has a query.
        """
        parameters(request.query)
        named = self._named(_read(request.headers.get(b"cookie", b"")).get(SESSION, ""))
        if named is None:
            raise Unauthenticated
        request.note.caller = Caller(
            CallerKind.MEMBER, issuer="gateway", organization=named.organization, session=named.session
        )
        body = orjson.dumps({"csrf_token": self.csrf_token(named.session)})
        return Answer(200, safe([(b"content-type", JSON)]), body)

    def csrf_token(self, session: UUID) -> str:
        """What proves that a page may act in a session: we told it, and no other origin can read that."""
        return self._sign(_CSRF, session.bytes)

    def _keep(self, answer: Answer, holder: str) -> Answer:
        body = orjson.loads(answer.body)
        tokens = body.get(holder)
        if not tokens:
            return answer
        access, refresh = tokens.pop("access_token"), tokens.pop("refresh_token")
        tokens.pop("token_type", None)
        named = _named_by(access)
        body[holder] = tokens | {"csrf_token": self.csrf_token(named.session)}
        return _with(
            replace(answer, body=orjson.dumps(body)),
            _cookie(ACCESS, access, max_age=tokens["expires_in"]),
            _cookie(REFRESH, refresh),
            _cookie(SESSION, self._text(named)),
        )

    def _refuse_foreign(self, request: Request, named: Named | None) -> None:
        origin = request.headers.get(b"origin")
        if (
            origin is not None
            and not is_own(origin, request.headers.get(b"host", b""))
            and not self._cors.allows(origin, named.organization if named else None)
        ):
            raise OriginNotAllowed
        if request.headers.get(b"sec-fetch-site", b"same-origin") not in _NEAR:
            raise OriginNotAllowed

    def _refuse_forged(self, request: Request, named: Named | None) -> None:
        given = request.headers.get(CSRF_HEADER, b"")
        if named is None or not hmac.compare_digest(given, self.csrf_token(named.session).encode()):
            raise CsrfTokenRequired

    def _text(self, named: Named) -> str:
        signed = self._sign(_NAMED, named.session.bytes + named.organization.bytes)
        return f"{named.session.hex}.{named.organization.hex}.{signed}"

    def _named(self, text: str) -> Named | None:
        """What the cookie names; None when we did not write it."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        named = Named(UUID(found[1]), UUID(found[2]))
        return named if hmac.compare_digest(self._text(named).encode(), text.encode()) else None

    def _sign(self, purpose: bytes, value: bytes) -> str:
        made = hmac.digest(self._key, purpose + value, hashlib.sha256)
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def key_from(signing_key_file: Path) -> bytes:
    """A key of its own, made of the gateway's signing key, which all gateways share."""
    secret = json.loads(signing_key_file.read_text(encoding="utf-8"))["d"]
    return hmac.digest(str(secret).encode(), _PURPOSE, hashlib.sha256)


def _read(header: bytes) -> dict[str, str]:
    """Our cookies. One that is there twice counts for nothing: a browser keeps one."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for text in _SEPARATOR.split(header.decode("latin-1")):
        pair = _PAIR.fullmatch(text)
        if pair is not None:
            if pair[1] in found:
                twice.add(pair[1])
            found[pair[1]] = pair[2]
    return {name: value for name, value in found.items() if name not in twice}


def _named_by(access_token: str) -> Named:
    """Whose session an access token of an answer of auth is."""
    payload = access_token.split(".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return Named(UUID(claims["sid"]), UUID(claims["org"]))


def _trading(request: Request, refresh_token: str) -> Request:
    """The request with the refresh token for its body."""
    body = orjson.dumps({"refresh_token": refresh_token})

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    dropped = (b"transfer-encoding", b"content-encoding")
    headers = {name: value for name, value in request.headers.items() if name not in dropped}
    headers |= {b"content-type": JSON, b"content-length": b"%d" % len(body)}
    return replace(request, headers=headers, receive=receive)


def _with(answer: Answer, *headers: Header) -> Answer:
    return replace(answer, headers=(*answer.headers, *headers))


def _cookie(name: str, value: str, *, max_age: int | None = None) -> Header:
    """Ends with the browser at the latest, or after so many seconds; auth ends the session earlier."""
    lasting = b"" if max_age is None else b"; Max-Age=%d" % max_age
    return b"set-cookie", f"{name}={value}".encode() + lasting + _ATTRIBUTES


def _forgotten() -> list[Header]:
    return [_cookie(name, "", max_age=0) for name in (ACCESS, REFRESH, SESSION)]
