"""The defaults of all quotas: as they stand, as answers tell them, and as the documents do."""

import re
from pathlib import Path
from typing import Any

from gateway.limits import RateSettings

from .rated import Limited, issue, standings

BOOKING = "/v1/bookings/bkg_1"
SECONDS = {"min": 60, "h": 3600}


def test_every_quota_of_production() -> None:
    assert dict(RateSettings()) == {
        "anonymous": "100/900",
        "unvalidated": "300/900",
        "key": "1000/60",
        "member": "600/60",
        "organization": "6000/60",
        "login": "5/900",
        "reset": "3/3600",
    }


async def test_callers_with_credentials_have_the_quotas_of_production(
    limited: Limited, access: Any, backend: Any
) -> None:
    async with limited() as at, at("203.0.113.1") as client:
        fresh = await client.get(BOOKING, headers=access.bearer())
        keyed = await client.get(BOOKING, headers=issue(backend))
        wrong = await client.get(BOOKING, headers={"Authorization": "Bearer wrong"})
    told = [
        {name: (each["q"], each["w"]) for name, each in standings(answer).items()}
        for answer in (fresh, keyed, wrong)
    ]
    unvalidated, organization = {"unvalidated": (300, 900)}, {"organization": (6000, 60)}
    assert told == [
        unvalidated | {"member": (600, 60)} | organization,
        unvalidated | {"key": (1000, 60)} | organization,
        unvalidated,
    ]


def test_the_documents_name_the_quotas_of_production() -> None:
    """The table of operators and that of integrators, row by row."""
    root = Path(__file__).parents[2]
    defaults = dict(RateSettings())
    row = re.compile(r"^\| `(\w+)` \| `GATEWAY_RATES__(\w+)` \| (\d+/\d+) \|", re.MULTILINE)
    section = (root / "gateway/README.md").read_text(encoding="utf-8").partition("\n## Quotas\n")[2]
    rows = row.findall(section.partition("\n## ")[0])
    assert {name: default for name, _, default in rows} == defaults
    assert [setting for _, setting, _ in rows] == [name.upper() for name, _, _ in rows]
    row = re.compile(r"^\| `(\w+)` \| ([\d ]+) in (\d+) (min|h) \|", re.MULTILINE)
    section = (root / "docs/api.md").read_text(encoding="utf-8").partition("\n## Limits\n")[2]
    told = {
        name: f"{requests.replace(' ', '')}/{int(number) * SECONDS[unit]}"
        for name, requests, number, unit in row.findall(section.partition("\n## ")[0])
    }
    assert told == defaults
