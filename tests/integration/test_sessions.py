"""Sessions through every process: what ends in auth ends at the gateway, long before the token expires."""

import httpx

from devstack.demo.api import Api, Sink
from devstack.demo.owner import log_in, register
from testkit import eventually

PASSWORD = "nine storks on the chimney"  # pragma: allowlist secret


async def test_a_session_that_was_revoked_elsewhere_stops_within_seconds(
    api: Api, sink: Sink, http: httpx.AsyncClient
) -> None:
    email = "owner-of-sessions@demo.example"
    here = register(api, sink, email=email, password=PASSWORD, organization="Org of sessions")
    lost = log_in(api, email=email, password=PASSWORD).api.headers
    mine, other = sorted(here.api.get("/v1/me/sessions")["items"], key=lambda each: not each["current"])
    assert (mine["current"], other["current"]) == (True, False)
    assert mine["device"] == "python-httpx"
    assert mine["address"]
    assert (await http.get("/v1/me", headers=lost)).status_code == 200
    assert here.api.request("DELETE", f"/v1/me/sessions/{other['id']}").status_code == 204

    async def refused() -> bool:
        return (await http.get("/v1/me", headers=lost)).status_code == 401

    assert await eventually(refused)
    renewed = here.api.post("/v1/auth/reauthenticate", {"password": PASSWORD})["tokens"]
    assert api.as_member(renewed["access_token"]).get("/v1/me")["email"] == email
