"""The only way out to addresses that tenants name: resolved once, checked, and connected to as checked.

A name is looked up once for a client's life; if any of its addresses is not public, nothing is connected.
The connection is made to the checked address itself, while TLS and `Host` speak the name, so that a second
answer of the DNS changes nothing. No redirect is followed, no proxy of the environment is used, and no more
than `Limits` is read.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any

import httpcore2
import httpx2

from governance.clock import Clock, system_clock
from governance.egress.addresses import Target, is_link_local, is_loopback, is_public
from governance.egress.model import Answer, Attempt, read_retry_after
from governance.egress.transport import Transport

Resolve = Callable[[str, int, float], Sequence[str]]
"""(name, port, seconds) -> its addresses; OSError if it has none or the time is over."""

Dial = Callable[[str, int, float], httpcore2.NetworkStream]
"""(address, port, seconds) -> a connection."""

USER_AGENT = "governance-webhooks/1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take: `seconds` to its end, look-up included; `bytes` of an answer, at most."""

    seconds: float = 5.0
    bytes: int = 1_048_576


class RefusedError(Exception):
    """The name leads to an address that is not on the public internet; nothing was connected."""


def system_resolve(name: str, port: int, seconds: float) -> Sequence[str]:
    """Ask the system's resolver, for so long at most: its own patience can be minutes."""
    found: list[Any] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    addresses = tuple(dict.fromkeys(str(each[4][0]) for each in list(found)))
    if not addresses:
        raise OSError("the name has no address")
    return addresses


def system_dial(address: str, port: int, seconds: float) -> httpcore2.NetworkStream:
    """Connect to an address."""
    return httpcore2.SyncBackend().connect_tcp(address, port, timeout=seconds)


@dataclass(frozen=True, slots=True)
class Egress:
    """How to get out. Tests hand in another resolver, dialler or trust store; the checks are always these."""

    limits: Limits = Limits()
    resolve: Resolve = system_resolve
    dial: Dial = system_dial
    verify: ssl.SSLContext | None = None
    clock: Clock = system_clock

    def check(self, target: Target) -> None:
        """Raise RefusedError if a target leads inside; a name that nobody knows so far passes."""
        try:
            self.addresses(target)
        except OSError:
            return

    def addresses(self, target: Target) -> Sequence[str]:
        """The addresses of a target, all of them checked; RefusedError, or OSError if it has none."""
        fit = _fit_for_trusted if target.trusted else is_public
        if target.inside:
            fit = _fit_for_inside
        found = self.resolve(target.host, target.port, self.limits.seconds)
        if not all(fit(each) for each in found):
            raise RefusedError
        return found

    def client(self, target: Target) -> "Client":
        """Make a client for one target; it looks the name up with its first request."""
        return Client(self, target)


class Client:
    """Sends to one target over one kept connection. Use as a context manager, in one thread."""

    def __init__(self, egress: Egress, target: Target) -> None:
        self._egress = egress
        self._target = target
        self._network = _PinnedNetwork(egress, target)
        self._client = httpx2.Client(
            transport=Transport(self._network, egress.verify or _usual_trust()),
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> "Client":
        """Nothing is connected yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._client.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """Send one request and say how it went; never raises for what the other side does."""
        return self._send("POST", body, headers, _read_some).attempt

    def ask(self, method: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request and give what it brought; an answer that does not end in time is a problem."""
        return self._send(method, body, headers, _read_all)

    def _send(self, method: str, body: bytes, headers: Mapping[str, str], read: "Read") -> Answer:
        clock, limits = self._egress.clock, self._egress.limits
        if len(body) > limits.bytes:
            return Answer(Attempt(clock(), problem="too-large"))
        self._network.begin(limits.seconds)
        try:
            with self._client.stream(
                method,
                self._target.url,
                content=body,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers},
                timeout=limits.seconds,
            ) as answer:
                status, got = answer.status_code, {k.lower(): v for k, v in answer.headers.items()}
                acknowledged = clock()
                came = read(answer, limits.bytes)
        except RefusedError:
            return Answer(Attempt(clock(), problem="address-refused"))
        except (httpx2.TimeoutException, httpcore2.TimeoutException, TimeoutError):
            return Answer(Attempt(clock(), problem="timeout"))
        except ssl.SSLError:
            return Answer(Attempt(clock(), problem="tls"))
        except (httpx2.HTTPError, httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as problem:
            tls = isinstance(problem.__context__, ssl.SSLError)
            return Answer(Attempt(clock(), problem="tls" if tls else "unreachable"))
        if came is None:
            return Answer(Attempt(clock(), problem="answer-too-large"))
        asked = read_retry_after(got.get("retry-after"), acknowledged)
        return Answer(Attempt(acknowledged, status, retry_after=asked), came, got)


Read = Callable[[httpx2.Response, int], bytes | None]
"""Reads an answer's body, so many bytes at most; None if there is more."""


def _fit_for_trusted(address: str) -> bool:
    """What the operator named may also be this machine, but no other machine inside."""
    return is_loopback(address) or is_public(address)


def _fit_for_inside(address: str) -> bool:
    """What the operator named as a system may lie inside, but not where clouds tell a machine its secrets."""
    return not is_link_local(address)


def _read_some(answer: httpx2.Response, most: int) -> bytes | None:
    """Read the answer's body so that the connection can be kept; drop the connection if it will not end.

    The status is already here: what goes wrong in a body changes nothing.
    """
    with contextlib.suppress(
        httpx2.HTTPError, httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError
    ):
        _read_all(answer, most)
    return b""


def _read_all(answer: httpx2.Response, most: int) -> bytes | None:
    """Read the whole body; None as soon as it is longer than `most`."""
    came = bytearray()
    for chunk in answer.iter_raw():
        came += chunk
        if len(came) > most:
            return None
    return bytes(came)


@cache
def _usual_trust() -> ssl.SSLContext:
    """The public certificate authorities, read once: no context is ever changed after it is made."""
    return httpx2.create_ssl_context(trust_env=False)


class _PinnedNetwork(httpcore2.NetworkBackend):
    """Connects to the checked addresses of one target, whatever it is asked for, until a deadline."""

    def __init__(self, egress: Egress, target: Target) -> None:
        self._egress = egress
        self._target = target
        self._pinned: Sequence[str] | None = None
        self._deadline = 0.0

    def begin(self, seconds: float) -> None:
        """Start the time of one request."""
        self._deadline = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        """The seconds left for this request, `timeout` at the most; TimeoutError when they are over."""
        rest = self._deadline - time.monotonic()
        if rest <= 0:
            raise httpcore2.TimeoutException("the time for this request is over")
        return rest if timeout is None else min(rest, timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first pinned address that answers."""
        if self._pinned is None:
            self._pinned = self._egress.addresses(self._target)
        failed: Exception = OSError("no address")
        for address in self._pinned:
            try:
                stream = self._egress.dial(address, self._target.port, self.left(timeout))
            except (httpcore2.NetworkError, httpcore2.TimeoutException, OSError) as problem:
                failed = problem
                continue
            return _TimedStream(stream, self)
        raise failed

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        """Refuse: files are not on the internet."""
        raise RefusedError


class _TimedStream(httpcore2.NetworkStream):
    """A connection whose every wait ends with the request's time: a receiver that drips cannot hold us."""

    def __init__(self, stream: httpcore2.NetworkStream, network: _PinnedNetwork) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there."""
        return self._stream.read(max_bytes, self._network.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        self._stream.write(buffer, self._network.left(timeout))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """Go on encrypted; the certificate must be that of the name."""
        secured = self._stream.start_tls(ssl_context, server_hostname, self._network.left(timeout))
        return _TimedStream(secured, self._network)

    def get_extra_info(self, info: str) -> Any:
        """Say what is known of the connection."""
        return self._stream.get_extra_info(info)
