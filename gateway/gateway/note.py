"""What the parts of the gateway tell the edge of one request while they answer it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from gateway.limits.headers import Standing
from servicekit.identity import Caller


@dataclass(slots=True)
class Note:
    """Grows while the request is answered."""

    caller: Caller | None = None
    """Whose credentials were good; None when there were none, or nobody looked."""
    admitted: Caller | None = None
    """The same once all quotas let the request pass."""
    standings: list[Standing] = field(default_factory=list)
    """With every policy that it was counted against."""
    trace_id: str = ""
    give_back: Callable[[], None] | None = None
    """Ends what the request holds beyond its answer; it must not raise."""

    def end(self) -> None:
        """The request is over, however that came: nothing is held any longer."""
        if self.give_back is not None:
            self.give_back()

    @property
    def organization(self) -> UUID | None:
        """The caller's."""
        return self.caller.organization if self.caller else None
