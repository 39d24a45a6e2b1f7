"""Chromium with its virtual authenticator, driven over DevTools: passkeys as a real browser makes them."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from testkit.waiting import eventually

_CREATE = (
    "navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(%s)})"
    ".then(made => JSON.stringify(made.toJSON()), refused => { throw refused.name })"
)
_USE = (
    "navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(%s)})"
    ".then(used => JSON.stringify(used.toJSON()), refused => { throw refused.name })"
)
_READY = "location.hostname === 'localhost' && document.readyState === 'complete' && isSecureContext"


class Refused(Exception):
    """The browser's own refusal, by the name of its DOMException."""


class Chromium:
    """A page of a site at localhost, and one virtual authenticator."""

    def __init__(self, origin: str, wire: aiohttp.ClientWebSocketResponse) -> None:
        self.origin = origin
        self._wire = wire
        self._numbers = itertools.count(1)

    async def create(self, options: str) -> str:
        """What navigator.credentials.create() answers, as JSON."""
        return str(await self._run(_CREATE % options))

    async def use(self, options: str) -> str:
        """What navigator.credentials.get() answers, as JSON."""
        return str(await self._run(_USE % options))

    async def add_authenticator(self, *, synchronized: bool) -> str:
        """A new platform authenticator that is at once present and verified; its id."""
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            "defaultBackupEligibility": synchronized,
            "defaultBackupState": synchronized,
        }
        answer = await self._call("WebAuthn.addVirtualAuthenticator", options=options)
        return str(answer["authenticatorId"])

    async def remove(self, authenticator: str) -> None:
        """Takes the authenticator away."""
        await self._call("WebAuthn.removeVirtualAuthenticator", authenticatorId=authenticator)

    async def begin(self) -> None:
        """Waits for the page, and takes real authenticators' place."""
        await eventually(lambda: self._run(_READY), timeout=30)
        await self._call("WebAuthn.enable")

    async def _run(self, script: str) -> Any:
        answer = await self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise Refused(answer["exceptionDetails"]["exception"].get("value", answer))
        return answer["result"]["value"]

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._wire.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._wire.receive_json(timeout=60)
            if message.get("id") == number:
                assert "error" not in message, message
                found: dict[str, Any] = message["result"]
                return found


@asynccontextmanager
async def started(program: str, profile: Path) -> AsyncIterator[Chromium]:
    """Runs the program on a page of an empty site on loopback."""
    async with _site() as origin, aiohttp.ClientSession() as http:
        process = await asyncio.create_subprocess_exec(
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            origin,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            told = profile / "DevToolsActivePort"
            port = await eventually(lambda: told.exists() and told.read_text().split("\n")[0], timeout=60)

            async def page() -> str:
                async with http.get(f"http://127.0.0.1:{port}/json") as answer:
                    pages = [each for each in await answer.json() if each["url"].startswith(origin)]
                return str(pages[0]["webSocketDebuggerUrl"]) if pages else ""

            async with http.ws_connect(await eventually(page, timeout=30)) as wire:
                chromium = Chromium(origin, wire)
                await chromium.begin()
                yield chromium
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def _site() -> AsyncIterator[str]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Comptoir</title>", content_type="text/html")

    site = web.Application()
    site.router.add_get("/", page)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
