"""The JSON of answers that many ask for. A pure function's memory: what it keeps can never be stale."""

from collections import OrderedDict
from collections.abc import Callable

_MOST_BYTES = 4 * 1024 * 1024
_LARGEST = 256 * 1024


class Shown:
    """Turns a message as it came over the wire into JSON, and remembers the last ones by their bytes.

    A search that hundreds of guests repeat is parsed and shown once: the service answers the same bytes.
    """

    def __init__(self, show: Callable[[bytes], bytes], *, most_bytes: int = _MOST_BYTES) -> None:
        """Keeps at most `most_bytes` of messages and JSON, and none of which is larger than 256 KiB."""
        self._show = show
        self._most_bytes = most_bytes
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    def __call__(self, message: bytes) -> bytes:
        """The JSON of a message."""
        known = self._kept.get(message)
        if known is not None:
            self._kept.move_to_end(message)
            return known
        shown = self._show(message)
        size = len(message) + len(shown)
        if size <= _LARGEST:
            self._kept[message] = shown
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._bytes -= sum(map(len, self._kept.popitem(last=False)))
        return shown
