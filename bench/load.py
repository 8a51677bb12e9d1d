"""A load generator that costs little: keep-alive connections over raw sockets, one request under way on each.

Requests are written out before the clock runs. Latency is what a client sees: from sending the first byte to
having read the last one.
"""

import selectors
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from time import perf_counter

from bench.measuring import percentile
from bench.serving import Served

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Round:
    """One round: how many requests a second were answered, and their latency in milliseconds.

    `server_cpu_ms` is the processor time of the server for one request.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    server_cpu_ms: float


def written(served: Served, path: str, body: bytes, media_type: str = "application/json") -> bytes:
    """A POST as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: {served.authorization}\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def repeated(requests: Sequence[bytes]) -> Callable[[], bytes]:
    """The requests in turn, for ever: for questions, which may be asked again."""
    turns = cycle(requests)
    return lambda: next(turns)


def made(make: Callable[[int], bytes]) -> Callable[[], bytes]:
    """A new request every time, numbered from 0: for acts, which may not."""
    numbers: Iterator[int] = count()
    return lambda: make(next(numbers))


def run(
    served: Served,
    next_request: Callable[[], bytes],
    *,
    connections: int,
    seconds: float,
    expect: Callable[[bytes], bool],
) -> Round:
    """Load for so many seconds; `expect` looks at each whole answer, and a wrong one ends the run."""
    selector = selectors.DefaultSelector()
    lines = [_Connection(served.port) for _ in range(connections)]
    for line in lines:
        selector.register(line.socket, selectors.EVENT_READ, line)
    taken: list[float] = []
    used = served.cpu_seconds()
    began = perf_counter()
    until = began + seconds
    for line in lines:
        line.send(next_request())
    waiting = len(lines)
    while waiting:
        for key, _ in selector.select():
            line = key.data
            answer = line.receive()
            if answer is None:
                continue
            now = perf_counter()
            taken.append((now - line.sent) * 1000)
            if not expect(answer):
                raise RuntimeError(f"an unexpected answer: {answer[:2000]!r}")
            if now < until:
                line.send(next_request())
            else:
                waiting -= 1
    took = perf_counter() - began
    used = (served.cpu_seconds() - used) * 1000
    for line in lines:
        line.socket.close()
    selector.close()
    taken.sort()
    return Round(len(taken) / took, percentile(taken, 0.5), percentile(taken, 0.99), used / len(taken))


class _Connection:
    """A keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._buffer = b""

    def send(self, request: bytes) -> None:
        self._buffer = b""
        self.sent = perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer, or None while some of it is on its way."""
        part = self.socket.recv(1 << 20)
        if not part:
            raise RuntimeError(f"the server hung up after {self._buffer[:500]!r}")
        self._buffer += part
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return None
        head = self._buffer[:end].lower()
        place = head.index(b"content-length:") + 15
        length = int(head[place : (head + b"\r").index(b"\r", place)])
        return self._buffer if len(self._buffer) >= end + len(_HEAD_END) + length else None
