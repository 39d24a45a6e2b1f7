"""`python -m devstack up|down|reset|status|logs`: the commands behind the Makefile."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from devstack import control
from devstack.control import CommandFailed
from devstack.launch import supervise
from devstack.logs import NoSuchLog, show_logs
from devstack.settings import Settings, SettingsInvalid, read_settings
from devstack.supervisor import AlreadySupervised

_ROOT = Path(__file__).resolve().parents[3]
_INTERRUPTED = 130
_PLAIN_WIDTH = 140


def main() -> int:
    """Returns the exit code; every foreseen trouble is one message, never a stack trace."""
    os.umask(0o077)
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    try:
        code = _run(arguments, read_settings(_ROOT), console)
        sys.stdout.flush()  # here, where a reader that has left is no trouble
        return code  # noqa: TRY300
    except (CommandFailed, NoSuchLog, SettingsInvalid) as failed:
        console.print(str(failed), style="red", markup=False, highlight=False)
        return 1
    except PermissionError as refused:
        console.print(f"{refused.filename} belongs to another user.", style="red", markup=False)
        return 1
    except AlreadySupervised:
        console.print("Comptoir is starting or running already.")
        return 1
    except BrokenPipeError:  # the reader of `logs` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        if arguments.verb == "up":
            console.print("The start goes on in the background; `make down` ends it.")
        return _INTERRUPTED


def _run(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    match arguments.verb:
        case "up":
            return control.up(settings, console)
        case "down":
            return control.down(settings, console)
        case "reset":
            return control.reset(settings, console)
        case "status":
            return control.status(settings, console)
        case "logs":
            logs_dir = settings.state_dir / "logs"
            show_logs(logs_dir, sys.stdout, name=arguments.process, follow=arguments.follow)
            return 0
        case _:
            return supervise(settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="up|down|reset|status|logs")
    for verb in ("up", "down", "reset", "status", "supervise"):
        verbs.add_parser(verb)
    logs = verbs.add_parser("logs")
    logs.add_argument("process", nargs="?", help="one process; all of them when left out")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    return parser.parse_args()


sys.exit(main())
