"""The main job, end to end, through HTTP."""

import io
import secrets
import sys

from rich.console import Console

from devstack.demo.story import Story
from devstack.platform import Platform


def test_the_main_job_works(platform: Platform) -> None:
    told = io.StringIO()
    story = Story(
        Console(file=told, width=160),
        gateway=platform.gateway_url,
        sink=platform.engines.sink.url,
        stripe=platform.engines.stripe.url,
        metrics={
            name: f"{platform.process(name).admin_url}/metrics"
            for name in ("gateway", "payment", "notification", "analytics")
        },
        name=secrets.token_hex(3),
    )
    try:
        story.tell()
    finally:
        story.close()
        sys.stdout.write(told.getvalue())
    assert story.step == 8
