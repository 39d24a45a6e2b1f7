"""What makes routes dated: the calendar, the changes and the pins that all of them share."""

from dataclasses import dataclass, replace

from gateway.dated.calendar import Calendar
from gateway.dated.chain import Chain
from gateway.dated.changes import CHANGES
from gateway.dated.endpoint import Dated, Pins, Serve
from gateway.edge import Target
from gateway.settings import LimitSettings
from servicekit.api_versions import VERSIONS


@dataclass(frozen=True, slots=True)
class Dating:
    """Serves each operation to callers of all versions."""

    calendar: Calendar
    pins: Pins
    limits: LimitSettings

    def of(self, serve: Serve, operation: str, *, cached: bool = False, counted: bool = False) -> Dated:
        """An operation, by its id, under every version."""
        chain = Chain(operation, CHANGES, VERSIONS)
        return Dated(
            serve, chain, self.calendar, pins=self.pins, limits=self.limits, cached=cached, counted=counted
        )

    def target(self, target: Target, operation: str | None, *, counted: bool = False) -> Target:
        """What stands behind a route by hand, under every version; as it was when it is no operation.

        `counted`: requests are counted before they come here.
        """
        if operation is None:
            return target
        dated = self.of(target.handle, operation, counted=counted)
        return replace(target, handle=dated.handle, finish=dated.finish)
