"""Two who edit the same thing at once, on the whole platform: who has not seen a change undoes none."""

import asyncio

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
