"""Both clients as they are built, and a server on loopback that answers what a test wants."""

import http.server
import importlib
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from testkit import typescript
from tools.clients.build import build, read_api
from tools.clients.shapes import Api
from tools.clients.wording import snake

BEHAVIOUR = Path(__file__).parent / "programs" / "behaviour.ts"


@pytest.fixture(scope="session")
def described() -> Api:
    return read_api()


@pytest.fixture(scope="session")
def built(described: Api, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    build(folder, described)
    return folder


@pytest.fixture(scope="session")
def comptoir_client(built: Path) -> Iterator[ModuleType]:
    sys.path.insert(0, str(built / "python"))
    yield importlib.import_module("comptoir_client")
    sys.path.remove(str(built / "python"))


@pytest.fixture(scope="session")
def typescript_package(built: Path) -> Path:
    package = built / "typescript"
    typescript.compile_package(package)
    return package


@pytest.fixture(scope="session")
def behaviour(typescript_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that does one call, or several, and prints what came of each."""
    folder = tmp_path_factory.mktemp("behaviour") / "program"
    return typescript.compile_program(BEHAVIOUR, typescript_package, folder)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the server; without a status the connection is closed instead."""

    status: int | None = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Scripted:
    """Answers `replies` in turn, and 200 with an empty object when there are none."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[Seen] = []
        scripted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                scripted.seen.append(Seen(self.command, self.path, headers, body))
                reply = scripted.replies.pop(0) if scripted.replies else Reply()
                if reply.status is None:
                    return
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                self.send_header("content-length", str(len(content)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  # as the standard library calls them

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                """Stays silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


@dataclass(frozen=True, slots=True)
class Wish:
    """One call: the operationId, and what the TypeScript client is given."""

    name: str
    call: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of some calls: outcomes in order, and pauses in seconds."""

    outcomes: list[dict[str, Any]]
    pauses: list[float]
    etags: list[str | None]


class Driver(Protocol):
    """One of the clients."""

    def __call__(self, wishes: Sequence[Wish], *, url: str, token: str | None = None) -> Done:
        """Does the calls in order."""


def python_driver(client: ModuleType) -> Driver:
    """The Python client in this process."""

    def drive(wishes: Sequence[Wish], *, url: str, token: str | None = None) -> Done:
        done = Done([], [], [])
        api = client.Comptoir(
            url,
            token=token,
            sleep=done.pauses.append,
            on_answer=lambda answer: done.etags.append(answer.headers.get("etag")),
        )
        with api:
            done.outcomes.extend(_outcome(client, api, wish) for wish in wishes)
        return done

    return drive


def _outcome(client: ModuleType, api: Any, wish: Wish) -> dict[str, Any]:
    try:
        came = getattr(api, snake(wish.name))(**{snake(name): value for name, value in wish.call.items()})
    except client.Problem as problem:
        errors = [[each.pointer, each.message] for each in problem.errors]
        words = {"status": problem.status, "reason": problem.reason, "detail": problem.detail}
        more = {"request_id": problem.request_id, "metadata": dict(problem.metadata)}
        return {"problem": words | more | {"errors": errors, "retry_after": problem.retry_after}}
    except client.Unreachable:
        return {"unreachable": True}
    except ValueError:
        return {"refused": True}
    return {"came": came.decode() if isinstance(came, bytes) else came}


def typescript_driver(program: Path) -> Driver:
    """The TypeScript client in a process of node."""

    def drive(wishes: Sequence[Wish], *, url: str, token: str | None = None) -> Done:
        calls = json.dumps([{"name": wish.name, "call": wish.call} for wish in wishes])
        printed = typescript.run(program, {"URL": url, "TOKEN": token or "", "CALLS": calls})
        came = json.loads(printed)
        return Done(came["outcomes"], [pause / 1000 for pause in came["pauses"]], came["etags"])

    return drive


@pytest.fixture(params=["python", "typescript"])
def drive(request: pytest.FixtureRequest) -> Driver:
    """Each client in turn."""
    if request.param == "python":
        return python_driver(request.getfixturevalue("comptoir_client"))
    return typescript_driver(request.getfixturevalue("behaviour"))
