"""An operator of the platform as the runner makes one: by the command in auth's place, then through HTTP."""

import base64
import os
import re
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from auth.domain.totp import hotp
from devstack.demo.api import Api
from devstack.platform import Platform

REASON = {"reason": "The guests cannot book", "ticket": "T-17", "minutes": 30}


@dataclass
class Operator:
    """Somebody who runs the platform, logged in."""

    api: Api
    id: str
    email: str

    def enter(self, organization_id: str, *, write: bool = False) -> tuple[Api, dict[str, Any]]:
        """Access to an organization: its calls, and what is said of it."""
        path = f"/v1/platform/organizations/{organization_id}/access"
        answer = self.api.post(path, REASON | {"write": write})
        return self.api.as_member(answer["token"]["access_token"]), answer["access"]


def command(platform: Platform, *arguments: str) -> str:
    """What `python -m auth operators …` prints, where auth runs."""
    environment = {**os.environ, **platform.process("auth").environment}
    done = subprocess.run(
        [sys.executable, "-m", "auth", "operators", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def new_operator(platform: Platform, api: Api, *, role: str = "admin") -> Operator:
    """Made by the command, enrolled and logged in through the gateway."""
    email, password = f"operator-{secrets.token_hex(4)}@platform.example", secrets.token_urlsafe(18)
    printed = command(platform, "add", "--email", email, "--name", "Sylvie", "--role", role)
    token = re.search(r"within a day: (\S+)", printed)
    assert token is not None
    told = {"token": token[1]}
    key = base64.b32decode(api.post("/v1/platform/auth/enrolment", told)["secret"])
    api.post("/v1/platform/auth/enrolment/confirm", told | {"password": password, "code": _code(key)})
    challenge = api.post("/v1/platform/auth/login", {"email": email, "password": password})["challenge"]
    # The code that confirmed the app is used up; that of the next half minute is taken already.
    answer = {"challenge": challenge, "code": _code(key, steps=1)}
    tokens = api.post("/v1/platform/auth/challenge", answer)["tokens"]
    mine = api.as_member(tokens["access_token"])
    return Operator(mine, mine.get("/v1/platform/me")["operator"]["id"], email)


def _code(key: bytes, *, steps: int = 0) -> str:
    return hotp(key, int(time.time()) // 30 + steps)
