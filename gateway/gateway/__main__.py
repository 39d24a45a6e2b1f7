"""The gateway's command line: `python -m gateway serve | follow`."""

import argparse
import asyncio
import sys

import uvloop
from pydantic import ValidationError

from gateway import serving
from gateway.settings import Settings
from servicekit.listening import exit_when_taken
from servicekit.settings import refuse_unknown
from servicekit.telemetry import logs


def main() -> None:
    """Reads the settings and works in the role that is named."""
    parser = argparse.ArgumentParser(prog="python -m gateway")
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("serve", help="answer HTTP")
    roles.add_parser("follow", help="do at the edge what events of the services ask for")
    role = parser.parse_args().role
    settings = _load()
    logs.setup("gateway", settings.telemetry.log_level)
    with exit_when_taken(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_follow(settings) if role == "follow" else serving.run(settings))


async def _follow(settings: Settings) -> None:
    from gateway import following  # noqa: PLC0415  # who serves has no use for a client of Kafka

    await following.run(settings)


def _load() -> Settings:
    try:
        refuse_unknown(Settings)
        return Settings()  # type: ignore[call-arg]  # read from the environment
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        sys.exit("settings are not valid:\n" + "\n".join(lines))
    except ValueError as error:
        sys.exit(f"settings are not valid: {error}")


if __name__ == "__main__":
    main()
