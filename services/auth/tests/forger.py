"""A provider that answers whatever a test wants: OpenID's endpoints, GitHub's and Facebook's, on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from joserfc import jws
from joserfc.jwk import OKPKey, RSAKey


@dataclass
class Forger:
    """What it answers, by path, and what it was asked."""

    issuer: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: new_key("one"))

    def be_openid(self) -> None:
        """Discovery and keys of an honest provider."""
        self.answers["/.well-known/openid-configuration"] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "EdDSA", "HS256", "none"],
        }
        self.answers["/jwks"] = {"keys": [self.key.as_dict(private=False)]}

    def sign(
        self,
        claims: bytes,
        *,
        header: dict[str, Any] | None = None,
        key: Any = None,
        algorithm: str = "RS256",
    ) -> None:
        """Answers the next code with this ID token."""
        protected = {"alg": algorithm, "kid": "one"} | (header or {})
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        token = jws.serialize_compact(protected, claims, key or self.key, [algorithm], registry)
        self.answers["/token"] = {"access_token": "access", "id_token": token}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers and notes."""
        self.asked.append(request.path)
        self.tokens.append(request.headers.get("Authorization", ""))
        if request.method == "POST":
            self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        found = self.answers.get(request.path)
        if isinstance(found, web.Response):
            return found
        return web.json_response(found) if found is not None else web.Response(status=404)


def new_key(kid: str) -> RSAKey:
    """A key for signing."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}, private=True)


def other_key() -> OKPKey:
    """A key of another kind, under the same id."""
    return OKPKey.generate_key("Ed25519", {"kid": "one"}, private=True)


@asynccontextmanager
async def running_forger() -> AsyncIterator[Forger]:
    """The forger on a free port."""
    forger = Forger()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forger.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    forger.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield forger
    await runner.cleanup()
