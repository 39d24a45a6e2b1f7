"""Two who edit the same thing at once, on the whole platform: who has not seen a change undoes none."""

import asyncio
from typing import Any

import httpx

from devstack.demo.owner import Owner, Venue


async def test_of_two_who_have_read_the_same_one_changes_it(http: httpx.AsyncClient, owner: Owner) -> None:
    path, mine = f"/v1/organizations/{owner.organization_id}", owner.api.headers
    read = await http.get(path, headers=mine)
    assert (await http.get(path, headers=mine | {"if-none-match": read.headers["etag"]})).status_code == 304
    bare = await http.patch(path, headers=mine, json={"name": "Nobody's"})
    assert (bare.status_code, bare.json()["reason"]) == (428, "PRECONDITION_REQUIRED")
    assert bare.json()["metadata"] == {"header": "If-Match"}

    async def rename(name: str) -> httpx.Response:
        seen = mine | {"if-match": read.headers["etag"]}
        return await http.patch(path, headers=seen, json={"name": name})

    ended = await asyncio.gather(rename("Chez Paulette"), rename("Chez Odette"))
    assert sorted(each.status_code for each in ended) == [200, 412], [each.text for each in ended]
    (changed,) = [each for each in ended if each.status_code == 200]
    again = await http.get(path, headers=mine | {"if-none-match": read.headers["etag"]})
    assert again.json()["organization"] == changed.json()["organization"]
    # The tag of the change's answer is as good as one of a read, and so is one of a compressed answer.
    undone = {"if-match": changed.headers["etag"]}
    name = read.json()["organization"]["name"]
    assert (await http.patch(path, headers=mine | undone, json={"name": name})).status_code == 200


async def test_what_is_listed_is_read_alone_before_it_is_changed(
    http: httpx.AsyncClient, owner: Owner, venue: Venue
) -> None:
    """As the document says it: read, send the tag that was read, and hear so when it is an old one."""
    mine, turn = owner.api.headers, {"max_party": 2, "minutes": 75}
    roles, cellar = (
        f"/v1/organizations/{owner.organization_id}/roles",
        {"name": "Cellar", "permissions": []},
    )
    offerings, brunch = f"/v1/venues/{venue.id}/offerings", {"name": "Brunch", "turn_times": [turn]}
    role = f"{roles}/{owner.api.post(roles, cellar)['role']['id']}"
    offering = f"{offerings}/{owner.api.post(offerings, brunch)['id']}"
    changes: list[tuple[str, str, dict[str, Any]]] = [
        (role, "", {"name": "Vault", "permissions": ["venues.read"]}),
        (offering, "/terms", {"name": "Late brunch"}),
        (offering, "/times", {"slot_minutes": 30}),
        (offering, "/visit", {"turn_times": [turn | {"minutes": 90}]}),
    ]
    for thing, part, body in changes:
        read = await http.get(thing, headers=mine)
        seen = mine | {"if-match": read.headers["etag"]}
        changed = await http.put(thing + part, headers=seen, json=body)
        assert changed.status_code == 200, changed.text
        stale = await http.put(thing + part, headers=seen, json=body)
        assert (stale.status_code, stale.json()["reason"]) == (412, "VERSION_MISMATCH"), stale.text
        again = await http.get(thing, headers=mine)
        assert again.headers["etag"].startswith(changed.headers["etag"].rstrip('"') + "-")
    for thing in (role, offering):
        read = await http.get(thing, headers=mine)
        gone = await http.delete(thing, headers=mine | {"if-match": read.headers["etag"]})
        assert gone.status_code == 204, gone.text


async def test_a_null_clears_an_address_and_nothing_else(
    http: httpx.AsyncClient, owner: Owner, venue: Venue
) -> None:
    path, mine = f"/v1/venues/{venue.id}", owner.api.headers
    before = (await http.get(path)).json()
    assert before["address"]
    patch = mine | {"content-type": "application/merge-patch+json"}
    refused = await http.patch(path, headers=patch, content='{"address": null, "name": null}')
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/name"]
    assert (await http.patch(path, headers=patch, content="{}")).json() == before
    cleared = (await http.patch(path, headers=patch, content='{"address": null}')).json()
    assert cleared == before | {"address": ""}
    restored = await http.patch(path, headers=mine, json={"address": before["address"]})
    assert restored.json() == before
