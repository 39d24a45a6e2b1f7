"""A call that is given up while it connects ends, whatever comes at the same moment."""

import asyncio
from typing import Any

import pytest

from servicekit.rpc.client import Peer
from testkit.keys import Keys


class Connecting:
    """A channel that is ready at the moment that the test chooses."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def channel_ready(self) -> None:
        self.asked.set()
        await self.ready


async def test_a_cancellation_is_not_lost_when_the_channel_is_ready_at_the_same_moment(keys: Keys) -> None:
    peer = Peer("auth", "127.0.0.1:9", keys.signer("gateway"))
    await peer.close()
    connecting: Any = Connecting()
    peer.channel = connecting
    call = asyncio.create_task(peer._connect(60))
    await connecting.asked.wait()
    connecting.ready.set_result(None)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
