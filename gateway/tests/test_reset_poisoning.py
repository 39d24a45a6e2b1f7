"""Whatever a client calls our host, no service hears of it: links in mails can lead nowhere else."""

from typing import Any

import httpx
import pytest

from comptoir.auth.v1 import credential_pb2

EVIL = "evil.example"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": EVIL},
        {"x-forwarded-host": EVIL, "x-forwarded-proto": "http", "x-forwarded-server": EVIL},
        {"forwarded": f"for=192.0.2.1;host={EVIL};proto=http"},
        {
            "x-host": EVIL,
            "x-original-host": EVIL,
            "x-original-url": f"https://{EVIL}/",
            "origin": f"https://{EVIL}",
        },
        {"referer": f"https://{EVIL}/"},
    ],
    ids=",".join,
)
async def test_no_service_learns_by_which_name_it_was_called(
    client: httpx.AsyncClient, backend: Any, headers: dict[str, str]
) -> None:
    backend.answer = credential_pb2.ForgotPasswordResponse()
    answer = await client.post(
        "/v1/auth/password/forgot", json={"email": "paulette@example.org"}, headers=headers
    )
    assert answer.status_code == 202
    assert EVIL not in answer.text
    assert backend.request == credential_pb2.ForgotPasswordRequest(email="paulette@example.org")
    assert backend.metadata["comptoir-request-id"]
    assert EVIL not in str(backend.metadata)
    assert EVIL not in str(backend.caller)
