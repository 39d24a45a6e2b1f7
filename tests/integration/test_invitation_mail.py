"""The mail of an invitation, on the whole platform: its link is a page, and what that does makes a member."""

import re
import secrets
from typing import Any

import httpx

from devstack.demo import owner as owners
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner

from .conftest import new_owner

_READ, _JOIN = "/v1/auth/invitations/read", "/v1/auth/invitations/join"


def _invite(owner: Owner, sink: Sink, email: str) -> str:
    """The secret of the link in the mail, which leads to a page."""
    owner.api.post(f"/v1/organizations/{owner.organization_id}/invitations", {"email": email, "role": "host"})
    mail = sink.wait_for_mail(email, matching="/invitation")
    link = re.search(r"(https?://\S+/invitation)\?token=([A-Za-z0-9_-]+)", mail["text"])
    assert link is not None
    page = httpx.get(link[1], params={"token": link[2]})
    assert (page.status_code, page.headers["content-type"][:9]) == (200, "text/html")
    return link[2]


def _refused(api: Api, path: str, body: dict[str, Any]) -> tuple[int, str]:
    answer = api.request("POST", path, json=body)
    return answer.status_code, answer.json()["reason"]


def test_whoever_is_new_joins_by_the_link_with_a_name_and_a_password(
    api: Api, sink: Sink, owner: Owner
) -> None:
    email, password = f"new-{secrets.token_hex(6)}@demo.example", secrets.token_urlsafe(18)
    token = _invite(owner, sink, email)
    for _ in range(2):  # to look, as often as one likes, accepts nothing
        shown = api.post(_READ, {"token": token})
        assert (shown["email"], shown["role_name"], shown["has_account"]) == (email, "host", False)
        assert shown["organization_name"]
    wish = {"token": token, "password": password, "language": "fr"}
    assert _refused(api, _JOIN, wish | {"display_name": ""}) == (422, "DISPLAY_NAME_REQUIRED")
    assert api.post(_JOIN, wish | {"display_name": "Zoé"})["organization_id"] == owner.organization_id
    assert _refused(api, _READ, {"token": token}) == (404, "INVITATION_TOKEN_INVALID")
    member = owners.log_in(api, email=email, password=password)
    me = member.api.get("/v1/me")
    assert (member.organization_id, me["role"]) == (owner.organization_id, "host")


def test_whoever_has_an_account_joins_by_the_link_with_its_password(
    api: Api, sink: Sink, owner: Owner
) -> None:
    password = secrets.token_urlsafe(18)
    known = new_owner(api, sink, password=password)
    token = _invite(owner, sink, known.email)
    assert api.post(_READ, {"token": token})["has_account"] is True
    wish = {"token": token, "language": "en"}
    wrong = wish | {"password": secrets.token_urlsafe(18)}
    assert _refused(api, _JOIN, wrong) == (401, "INVALID_CREDENTIALS")
    assert api.post(_JOIN, wish | {"password": password})["organization_id"] == owner.organization_id
    members = owner.api.get(f"/v1/organizations/{owner.organization_id}/members")["items"]
    assert known.email in {each["email"] for each in members}
