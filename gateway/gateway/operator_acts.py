"""What operators do in organizations: told to auth first. What auth did not write down is not done."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from servicekit import ids
from servicekit.errors import AppError, Kind, Unauthenticated, Unavailable
from servicekit.identity import Caller

_TYPED_ID = re.compile(r"[a-z]{2,8}_[0-7][0-9a-hjkmnp-tv-z]{25}")


@dataclass(frozen=True, slots=True)
class Act:
    """A call that an operator is about to make in an organization."""

    id: UUID
    """Ours. The client chooses its request id, and could hide a second call behind a first."""
    organization: UUID
    operator: UUID
    access: UUID
    call: str
    """The operation id."""
    touched: tuple[str, ...]
    """The typed ids that the path names."""
    address: str
    request_id: str


Record = Callable[[Act], Awaitable[None]]
"""Has auth write an act down. Raises AppError when it did not."""


class OperatorActs:
    """Stands between operators and the services. Other callers never get here."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def tell(self, caller: Caller, call: str, variables: Sequence[str], *, request_id: str) -> None:
        """Returns when the organization's audit log has the call, without what of the path is no typed id.

        Raises:
            Unauthenticated: the access is over.
            Unavailable: auth did not write it down, for whatever reason.
        """
        if caller.organization is None or caller.operator is None or caller.session is None:
            raise Unauthenticated
        act = Act(
            id=ids.new(),
            organization=caller.organization,
            operator=caller.operator,
            access=caller.session,
            call=call,
            touched=tuple(each for each in variables if _TYPED_ID.fullmatch(each)),
            address=caller.address,
            request_id=request_id,
        )
        try:
            await self._record(act)
        except AppError as error:
            if error.kind is Kind.UNAUTHENTICATED:
                raise
            raise Unavailable from error
