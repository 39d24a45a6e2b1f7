"""Runs localstripe and tells it at every start where signed webhooks go: it forgets them."""  # noqa: INP001

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

_PORT = 8420


def main() -> int:
    """The exit code of the stand-in."""
    secret = Path(os.environ["WEBHOOK_SECRET_FILE"]).read_text(encoding="utf-8").strip()
    stripe = subprocess.Popen([sys.executable, "-m", "localstripe", "--port", str(_PORT)])  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: stripe.terminate())
    while stripe.poll() is None and not _registered(os.environ["WEBHOOK_URL"], secret):
        time.sleep(0.1)
    return stripe.wait()


def _registered(url: str, secret: str) -> bool:
    """False while the stand-in does not listen yet."""
    body = json.dumps({"url": url, "secret": secret}).encode()
    where = f"http://127.0.0.1:{_PORT}/_config/webhooks/comptoir"
    request = urllib.request.Request(where, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=3):  # noqa: S310  # ours, on loopback
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
