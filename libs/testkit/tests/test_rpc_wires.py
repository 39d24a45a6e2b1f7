"""A wire between gRPC client and server passes calls on, and holds the one that a pin names."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest

from devstack.ports import LOOPBACK
from testkit import eventually
from testkit.rpc_wires import RpcWire
from testkit.wires import Moment

_LONG = b"x" * 100_000
"""Several frames, and more than a window holds."""


class Echo:
    """A server that answers what it was sent, and knows what that was."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.server = grpc.aio.server()
        self.port = self.server.add_insecure_port(f"{LOOPBACK}:0")
        method = grpc.unary_unary_rpc_method_handler(self.answer)
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Echo", {"Say": method})])

    async def answer(self, request: bytes, _context: object) -> bytes:
        self.heard.append(request)
        return request


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    await made.server.start()
    yield made
    await made.server.stop(None)


@pytest.fixture
def wire(echo: Echo) -> Iterator[RpcWire]:
    made = RpcWire(f"{LOOPBACK}:{echo.port}")
    made.start()
    yield made
    made.close()


async def say(channel: grpc.aio.Channel, text: bytes) -> bytes:
    answer: bytes = await channel.unary_unary("/Echo/Say", None, None)(text, timeout=90)
    return answer


async def test_calls_pass_whatever_their_size(wire: RpcWire) -> None:
    async with grpc.aio.insecure_channel(wire.address) as channel:
        assert await asyncio.gather(*(say(channel, text) for text in (b"", b"one", _LONG))) == [
            b"",
            b"one",
            _LONG,
        ]


@pytest.mark.parametrize(
    ("moment", "heard"), [(Moment.BEFORE, []), (Moment.AFTER, [b"to be held"])], ids=["before", "after"]
)
async def test_a_pin_holds_the_call_or_its_answer_until_the_wire_is_cut(
    moment: Moment, heard: list[bytes], wire: RpcWire, echo: Echo
) -> None:
    async with grpc.aio.insecure_channel(wire.address) as channel:
        pin = wire.pin_call(moment, text="held")
        assert await say(channel, b"another") == b"another"
        assert not pin.reached
        held = asyncio.create_task(say(channel, b"to be held"))
        await eventually(lambda: pin.reached)
        assert echo.heard == [b"another", *heard]
        wire.cut()
        with pytest.raises(grpc.aio.AioRpcError) as broken:
            await held
        assert broken.value.code() is grpc.StatusCode.UNAVAILABLE
        assert echo.heard == [b"another", *heard]
