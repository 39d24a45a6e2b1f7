"""A wire between a gRPC client and its server. It reads no message; a test pins one by what stands in it."""

from asyncio import StreamReader
from typing import ClassVar

from testkit.wires import Moment, Pin, Wire


class RpcWire(Wire):
    """Understands HTTP/2 frames (RFC 9113 §4.1), as gRPC sends them without TLS and without compression."""

    _DATA: ClassVar[int] = 0
    _HEADERS: ClassVar[int] = 1
    _PREFACE: ClassVar[bytes] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    """What a client says first, before all frames (§3.4)."""
    _HEAD: ClassVar[int] = 9

    def pin_call(self, moment: Moment, *, text: str) -> Pin:
        """Pins calls that have `text` in a field: before the server has them, or when it has answered."""
        wanted = text.encode()
        return self.pin(moment, lambda frame: frame[3] == self._DATA and wanted in frame)

    async def read(self, reader: StreamReader) -> bytes:
        """The next frame: its length in three bytes, type, flags, stream; or the preface."""
        head = await reader.readexactly(self._HEAD)
        if self._PREFACE.startswith(head):
            return head + await reader.readexactly(len(self._PREFACE) - self._HEAD)
        return head + await reader.readexactly(int.from_bytes(head[:3], "big"))

    def key(self, request: bytes) -> object:
        """The stream: each call has one of its own."""
        return request[5:9]

    def answers(self, answer: bytes, key: object) -> bool:
        """Headers or data of the same stream; whatever else the server says of it is no answer."""
        return answer[3] in (self._DATA, self._HEADERS) and answer[5:9] == key
