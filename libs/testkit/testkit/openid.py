"""A real OpenID provider as a process of its own: npm oidc-provider, on loopback, for tests alone."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from testkit import npm

SOURCE = Path(__file__).parent / "openid_provider"
ALGORITHMS = ("RS256", "ES256", "EdDSA")
_START_SECONDS = 60


def client_id(algorithm: str = "RS256") -> str:
    """Our client id for tokens that are signed so."""
    return f"comptoir-{algorithm.lower()}"


def install() -> Path:
    """The provider's packages as the lock file says, and its program."""
    kept = npm.fetched(SOURCE, "openid-provider")
    shutil.copy(SOURCE / "provider.mjs", kept)
    return kept


@asynccontextmanager
async def running_provider(
    *, redirect_uri: str, secret: str, people: Mapping[str, Mapping[str, Any]], **environment: str
) -> AsyncIterator[str]:
    """The issuer of a provider on a free port, who knows us by a client id for each algorithm.

    Args:
        redirect_uri: the only place it sends browsers back to; "*" in it is any name.
        secret: the client secret.
        people: subject → claims. Who logs in is said by the browser's header X-Person.
        environment: further variables of the process.
    """
    folder = await asyncio.to_thread(install)
    clients = [
        {
            "client_id": client_id(algorithm),
            "client_secret": secret,
            "redirect_uris": [redirect_uri],
            "id_token_signed_response_alg": algorithm,
            "scope": "openid email profile groups",
        }
        for algorithm in ALGORITHMS
    ]
    running = await asyncio.create_subprocess_exec(
        npm.program("node"),
        folder / "provider.mjs",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PEOPLE": json.dumps(people), "CLIENTS": json.dumps(clients)} | environment,
    )
    if running.stdout is None:
        raise ChildProcessError
    try:
        yield (await asyncio.wait_for(running.stdout.readline(), _START_SECONDS)).decode().strip()
    finally:
        running.kill()
        await running.wait()
