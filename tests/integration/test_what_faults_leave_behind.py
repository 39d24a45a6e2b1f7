"""After all faults: no person and no secret in logs, events, metrics, spans and tables, as after all storms.

Runs last on the platform whose processes die. That the sweep would find something, and that the visit of
test_what_is_left_behind leaves nothing, is shown there.
"""

import pytest

from devstack.demo.api import Sink
from devstack.platform import Platform
from testkit.overheard import Overheard

from . import sweep
from .conftest import MainJob
from .sweep import Place


@pytest.fixture(scope="module")
async def places(platform: Platform, sink: Sink, main_job: MainJob) -> dict[str, list[Place]]:
    return await sweep.places(platform, sink)


@pytest.mark.parametrize("kind", sweep.KINDS)
async def test_faults_leave_no_person_and_no_secret_behind(
    kind: str, platform: Platform, places: dict[str, list[Place]], overheard: Overheard
) -> None:
    planted = sweep.secrets(platform) | await sweep.people(platform)
    assert {"an address", "a name", "a link's token"} <= {each.what for each in planted}
    assert sweep.find(planted, places[kind]) == set()
    assert overheard.secrets
    assert [each.name for each in places[kind] if overheard.found_in(each.content)] == []
