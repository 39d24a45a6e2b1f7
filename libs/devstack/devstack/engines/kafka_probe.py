"""One question in Kafka's protocol, to see whether a broker answers. It needs no client library."""

import socket
import struct

from devstack.ports import LOOPBACK

_API_VERSIONS, _VERSION, _CORRELATION = 18, 0, 7
_CLIENT = b"devstack"
_ANSWER_BYTES = 10  # length, correlation id, error code


def answers(port: int) -> bool:
    """Whether an ApiVersions request is answered without an error code. Raises: OSError: nobody listens."""
    header = struct.pack(">hhih", _API_VERSIONS, _VERSION, _CORRELATION, len(_CLIENT)) + _CLIENT
    with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
        connection.sendall(struct.pack(">i", len(header)) + header)
        answer = b""
        while len(answer) < _ANSWER_BYTES and (received := connection.recv(4096)):
            answer += received
    if len(answer) < _ANSWER_BYTES:
        return False
    _, correlation, error = struct.unpack(">iih", answer[:_ANSWER_BYTES])
    return (correlation, error) == (_CORRELATION, 0)
