"""A booking service that answers an empty availability behind the real guard: what the RPC alone costs.

`python -m tools.bench.empty LISTEN KEYS_FILE`.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvloop

from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc
from servicekit.identity import Verifier
from servicekit.rpc import server


class Empty(booking_pb2_grpc.AvailabilityServiceServicer):
    """Looks at nothing."""

    async def SearchAvailability(  # noqa: N802 - the contract's name
        self, _request: booking_pb2.SearchAvailabilityRequest, _context: Any
    ) -> booking_pb2.SearchAvailabilityResponse:
        """No starts."""
        return booking_pb2.SearchAvailabilityResponse()


async def _serve(listen: str, keys_file: Path) -> None:
    def register(target: Any) -> None:
        booking_pb2_grpc.add_AvailabilityServiceServicer_to_server(Empty(), target)

    served, _, _ = await server.start("booking", listen, Verifier(keys_file, "booking"), [register])
    try:
        await served.wait_for_termination()
    finally:
        await served.stop(None)  # a server that outlives its loop complains on stderr


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], Path(sys.argv[2])))
