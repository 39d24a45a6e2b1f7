"""BlockService: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.domain.blocks import BlockNotFound
from booking.domain.venues import AreaNotFound
from booking.events.messages import moment
from booking.servicer.reading import calendar_day, page, resource_ids, venue_ref
from booking.usecases import blocks
from booking.usecases.blocks import Blocked, Blocking
from booking.usecases.directory import staff
from comptoir.booking.v1 import blocks_pb2, blocks_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class BlockServicer(blocks_pb2_grpc.BlockServiceServicer):
    """Taking resources out of sale."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateBlock(
        self, request: blocks_pb2.CreateBlockRequest, _context: _Context
    ) -> blocks_pb2.CreateBlockResponse:
        """Blocks resources."""
        caller = identity.caller()
        blocking = Blocking(
            resource_ids(request.resource_ids),
            ids.parse("are", request.area_id, AreaNotFound) if request.area_id else None,
            start=request.start.epoch_seconds,
            end=request.end.epoch_seconds,
            reason=request.reason,
            strand=request.strand,
        )
        made = await blocks.create_block(
            self._app, caller.tenant, venue_ref(request.venue_id), blocking, actor=staff(caller)
        )
        return blocks_pb2.CreateBlockResponse(
            block=_message(made), stranded_booking_ids=[ids.show("bkg", each) for each in made.stranded]
        )

    async def ListBlocks(
        self, request: blocks_pb2.ListBlocksRequest, _context: _Context
    ) -> blocks_pb2.ListBlocksResponse:
        """Lists what is blocked on some days."""
        first: str = getattr(request, "from")  # a keyword of Python
        found, token = await blocks.list_blocks(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            calendar_day(first, "/from"),
            calendar_day(request.to, "/to"),
            page=page(request, "blocks", request.venue_id, first, request.to, keys=2),
        )
        return blocks_pb2.ListBlocksResponse(items=map(_message, found), next_page_token=token)

    async def DeleteBlock(
        self, request: blocks_pb2.DeleteBlockRequest, _context: _Context
    ) -> blocks_pb2.DeleteBlockResponse:
        """Ends a block."""
        await blocks.delete_block(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("blk", request.block_id, BlockNotFound),
        )
        return blocks_pb2.DeleteBlockResponse()


def _message(blocked: Blocked) -> blocks_pb2.Block:
    block = blocked.block
    return blocks_pb2.Block(
        id=ids.show("blk", block.id),
        venue_id=ids.show("ven", block.venue_id),
        resource_ids=[ids.show("res", each) for each in block.resource_ids],
        start=moment(blocked.zone, block.start),
        end=moment(blocked.zone, block.end),
        reason=block.reason,
    )
