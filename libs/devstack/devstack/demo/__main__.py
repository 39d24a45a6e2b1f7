"""`make demo`: drives the main job through HTTP, says what it does, and fails loudly."""

import secrets
import sys
from pathlib import Path

import httpx
from rich.console import Console
from rich.markup import escape

from devstack.demo.api import Failed, Refused
from devstack.demo.story import Story
from devstack.settings import read_settings

_PLAIN_WIDTH = 140


def main() -> int:
    """0 when all eight steps held."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    ports = read_settings(Path.cwd()).ports
    story = Story(
        console,
        gateway=f"http://127.0.0.1:{ports.gateway}",
        sink=f"http://127.0.0.1:{ports.sink}",
        stripe=f"http://127.0.0.1:{ports.stripe}",
        metrics={
            program: f"http://127.0.0.1:{ports.admin_of(program)}/metrics"
            for program in ("gateway", "booking", "payment", "notification", "analytics")
        },
        name=secrets.token_hex(3),
    )
    try:
        story.tell()
    except httpx.ConnectError as error:
        console.print(f"[red]Nobody answers at {error.request.url}. Is the platform up? make up[/red]")
        return 1
    except (Failed, Refused, TimeoutError, httpx.HTTPError) as error:
        return _fail(console, story, str(error))
    except KeyError as missing:
        return _fail(console, story, f"an answer has no {missing}")
    finally:
        story.close()
    console.print("\n[bold green]The main job works: all eight steps held.[/bold green]")
    return 0


def _fail(console: Console, story: Story, what: str) -> int:
    console.print(f"[bold red]FAILED[/bold red] in step {story.step}: {escape(what)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
