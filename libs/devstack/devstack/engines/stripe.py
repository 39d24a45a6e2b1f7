"""localstripe, a stateful Stripe stand-in; GPL, so only ever a separate process, never imported."""

import sys
from pathlib import Path
from typing import Any

import httpx

from devstack.commands import Command
from devstack.engines.engine import Engine
from devstack.ports import LOOPBACK

_LAUNCHER = Path(__file__).with_name("stripe_launcher.py")
_OPTIONS: Any = {"timeout": 3.0, "trust_env": False}


class StripeEngine(Engine):
    """Keeps its objects in `data_dir/stripe.pickle`; webhooks are told again after every start."""

    def __init__(self, data_dir: Path, *, port: int = 0, log_file: Path | None = None) -> None:
        """Any API key that starts with `sk_test_` is accepted."""
        super().__init__("stripe", data_dir, port=port, log_file=log_file)
        self._webhooks: dict[str, dict[str, str]] = {}

    @property
    def url(self) -> str:
        """The API base, without a path."""
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> Command:
        """The launcher narrows the stand-in to loopback and to this directory."""
        state = self.data_dir / "stripe.pickle"
        return Command(
            [sys.executable, "-P", str(_LAUNCHER), "--port", str(self.port)],
            environment={"COMPTOIR_STRIPE_STATE": str(state), "PYTHONUNBUFFERED": "1"},
        )

    def probe(self) -> bool:
        """Lists the customers with a test key."""
        try:
            answer = httpx.get(f"{self.url}/v1/customers", auth=("sk_test_probe", ""), **_OPTIONS)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def wait_ready(self) -> None:
        """Also repeats the known webhooks, because the stand-in forgets them.

        Raises:
            EngineFailed: as for every engine.
        """
        super().wait_ready()
        for name in self._webhooks:
            self._send_webhook(name)

    def register_webhook(self, name: str, *, url: str, secret: str) -> None:
        """From now on, over restarts, events are sent signed to `url`.

        Raises:
            httpx.HTTPError: the stand-in is away.
        """
        self._webhooks[name] = {"url": url, "secret": secret}
        if self.running:
            self._send_webhook(name)

    def _send_webhook(self, name: str) -> None:
        url = f"{self.url}/_config/webhooks/{name}"
        httpx.post(url, json=self._webhooks[name], **_OPTIONS).raise_for_status()
