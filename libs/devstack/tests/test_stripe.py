"""The Stripe stand-in: what it keeps, and where its webhooks go after a restart."""

import hashlib
import hmac
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from devstack.engines import StripeEngine
from testkit import eventually

KEY = ("sk_test_anything", "")
SECRET = "whsec_for_the_test"


class Receiver(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), Hook)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/stripe"


class Hook(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.headers["Stripe-Signature"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StripeEngine]:
    engine = StripeEngine(tmp_path / "stripe")
    engine.start()
    yield engine
    engine.kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
        receiver.shutdown()


def new_customer(engine: StripeEngine) -> str:
    answer = httpx.post(
        f"{engine.url}/v1/customers", auth=KEY, data={"email": "guest@chez.example"}, trust_env=False
    )
    return str(answer.raise_for_status().json()["id"])


def test_objects_survive_kill_and_restart_in_our_own_directory(engine: StripeEngine) -> None:
    customer = new_customer(engine)
    engine.kill()
    engine.start()
    answer = httpx.get(f"{engine.url}/v1/customers/{customer}", auth=KEY, trust_env=False)
    assert answer.json()["email"] == "guest@chez.example"
    state = engine.data_dir / "stripe.pickle"
    assert state.stat().st_mode & 0o077 == 0


async def test_webhooks_arrive_signed_also_after_a_restart(engine: StripeEngine, receiver: Receiver) -> None:
    engine.register_webhook("comptoir", url=receiver.url, secret=SECRET)
    engine.restart()
    customer = new_customer(engine)

    await eventually(lambda: receiver.received)

    signature, body = receiver.received[0]
    assert customer.encode() in body
    parts = dict(part.split("=", 1) for part in signature.split(","))
    expected = hmac.new(SECRET.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert parts["v1"] == expected
