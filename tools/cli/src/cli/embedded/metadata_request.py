"""The one request of Kafka's protocol that tells a broker from an open port."""

import socket
import struct

_METADATA, _VERSION, _NO_TOPICS = 3, 2, 0
_TIMEOUT = 2.0


def cluster_at(port: int) -> str | None:
    """The cluster id that a broker on this port of 127.0.0.1 answers with, None if no broker answers."""
    body = struct.pack(">hhih", _METADATA, _VERSION, 1, len(b"freeport")) + b"freeport" + struct.pack(">i", _NO_TOPICS)
    try:
        with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
            connection.settimeout(_TIMEOUT)
            connection.sendall(struct.pack(">i", len(body)) + body)
            (length,) = struct.unpack(">i", _exactly(connection, 4))
            return _cluster_in(_exactly(connection, length))
    except (OSError, struct.error, UnicodeDecodeError):
        return None


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count and (more := connection.recv(count - len(received))):
        received += more
    return received


def _cluster_in(answer: bytes) -> str | None:
    """Skip the correlation id and the brokers (id, host, port, rack); the cluster id follows."""
    (brokers,), at = struct.unpack_from(">i", answer, 4), 8
    for _ in range(brokers):
        _, at = _text(answer, at + 4)
        _, at = _text(answer, at + 4)
    return _text(answer, at)[0]


def _text(answer: bytes, at: int) -> tuple[str | None, int]:
    (length,) = struct.unpack_from(">h", answer, at)
    if length < 0:
        return None, at + 2
    return answer[at + 2 : at + 2 + length].decode(), at + 2 + length
