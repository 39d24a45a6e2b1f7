"""The supervisor's own process: the platform of this checkout, wired to a Supervisor."""

import logging
import signal
from collections.abc import Callable

from devstack.commands import ProcessFailed
from devstack.platform import Platform
from devstack.ports import PortTaken
from devstack.settings import Settings
from devstack.supervisor import Supervisor


def supervise(settings: Settings) -> int:
    """Runs the platform until SIGTERM. Returns the exit code.

    Raises:
        AlreadySupervised: it runs already.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    platform = Platform(
        settings.state_dir, ports=settings.ports, foreign=settings.foreign, overrides=settings.overrides
    )

    def start(report: Callable[[str], None]) -> str:
        platform.start(report)
        try:
            if settings.seed and platform.seed():
                report("the demo organization exists")
        except ProcessFailed as failed:
            return f"the demo data could not be made: {failed}"
        return ""

    def explain(taken: PortTaken) -> str:
        holder = f" by {taken.holder}" if taken.holder else ""
        variable = settings.ports.variable_for(taken.port)
        return f"port {taken.port} is taken{holder}; set {variable} in .env to another"

    links = {
        "Gateway API": f"{platform.gateway_url}/v1",
        "API documentation": f"{platform.gateway_url}/docs",
        "Mails and traces": platform.engines.sink.url,
    }
    supervisor = Supervisor(
        settings.state_dir,
        platform.processes,
        start=start,
        stop=platform.stop,
        links=links,
        explain=explain,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.end())
    return supervisor.run()
