"""A partner: a webhook endpoint that fails its first call and checks every signature."""

import http.server
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


@dataclass
class Partner:
    """Listens on a free loopback port. `secret` must be set before the first call comes."""

    secret: str = ""
    failures: int = 1
    """How many calls are answered 500 before the first 200."""
    received: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What came with a signature that does not hold."""
    failed: int = 0

    def __post_init__(self) -> None:
        partner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status = partner.take(body, {name.lower(): value for name, value in self.headers.items()})
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                """Stays silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where the platform posts to."""
        return f"http://127.0.0.1:{self._server.server_port}/hooks"

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """The status that a call is answered with."""
        if self.failures:
            self.failures -= 1
            self.failed += 1
            return 500
        try:
            Webhook(self.secret).verify(body, headers)
        except (WebhookVerificationError, ValueError) as error:
            self.refused.append(str(error))
            return 400
        self.received.append({"id": headers["webhook-id"], **json.loads(body)})
        return 204

    def types(self, booking_id: str) -> list[str]:
        """What was told of a booking, in order of arrival."""
        return [each["type"] for each in self.received if each["data"].get("booking_id") == booking_id]

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
