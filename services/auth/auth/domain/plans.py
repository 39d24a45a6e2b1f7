"""What each plan allows. Counting is done by whoever keeps what is counted. Never does I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from servicekit.errors import PlanLimitReached

FREE = "free"


@dataclass(frozen=True, slots=True)
class Plan:
    """At most how many of each an organization may have."""

    members: int
    """Open invitations count."""
    venues: int
    api_keys: int

    def refuse_more(self, of: str, have: int) -> None:
        """Makes sure that there may be one more.

        Raises:
            PlanLimitReached: there are `have` of them already.
        """
        most: int = getattr(self, of)
        if have >= most:
            raise PlanLimitReached(metadata={"limit": of, "most": str(most)})


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        FREE: Plan(members=25, venues=10, api_keys=10),
        "team": Plan(members=100, venues=50, api_keys=50),
        "business": Plan(members=1000, venues=500, api_keys=200),
    }
)
"""The plans; settings may set other numbers, and add plans."""
