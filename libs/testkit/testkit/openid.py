"""A real OpenID provider as a process of its own: npm oidc-provider, on loopback, for tests alone."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "openid_provider"
ALGORITHMS = ("RS256", "ES256", "EdDSA")
_FETCH_SECONDS = 100
_START_SECONDS = 60


def client_id(algorithm: str = "RS256") -> str:
    """Our client id for tokens that are signed so."""
    return f"comptoir-{algorithm.lower()}"


def install() -> Path:
    """The provider's packages as the lock file says, fetched once by npm and kept outside of it."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = Path(__file__).parents[3] / ".comptoir" / "openid-provider"
    kept = folder / hashlib.sha256(lock).hexdigest()[:16]
    if not kept.exists():
        npm = _program("npm")
        folder.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=folder))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, making)
        fetch = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(  # noqa: S603  # npm, which is on the PATH
            fetch, cwd=making, check=True, capture_output=True, timeout=_FETCH_SECONDS
        )
        try:
            making.rename(kept)
        except OSError:
            shutil.rmtree(making)  # another process of the suite was faster
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
        _program("node"),
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


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        message = f"tests of log-in need node 20 or later and npm, but there is no {name}: see CONTRIBUTING"
        raise FileNotFoundError(message)
    return found
