"""The last step of a successful read: its ETag, 304 for whoever has it already, and compression."""

from gateway.compression import Compressor, varying
from gateway.conditional import revalidate, tag
from gateway.http import Answer, Request
from gateway.settings import CompressionSettings

_READS = frozenset({"GET", "HEAD"})
_OK = 200


class Delivery:
    """Gives every answered read an ETag. A HEAD is treated like its GET: its headers are the same."""

    def __init__(self, settings: CompressionSettings) -> None:
        self._compress = Compressor(settings)

    async def __call__(self, request: Request, answer: Answer, *, compressible: bool) -> Answer:
        """What goes to the client in place of the answer."""
        if answer.status != _OK or request.method not in _READS or answer.stream is not None:
            return answer
        shown = tag(varying(answer) if compressible else answer)
        known = request.headers.get(b"if-none-match")
        unchanged = revalidate(shown, known) if known is not None else None
        if unchanged is not None:
            return unchanged
        if not compressible:
            return shown
        return await self._compress(shown, request.headers.get(b"accept-encoding", b""))
