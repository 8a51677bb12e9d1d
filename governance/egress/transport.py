"""HTTP/1.1 for the client's library, over a network of ours."""

import ssl
from typing import Any

import httpcore2
import httpx2


class _Stream(httpx2.SyncByteStream):
    """The body of an answer as it comes in."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks

    def __iter__(self) -> Any:
        """Give what comes in."""
        return iter(self._chunks)

    def close(self) -> None:
        """Let the connection go."""
        self._chunks.close()


class Transport(httpx2.BaseTransport):
    """HTTP/1.1 over the network that it is given, one connection at a time."""

    def __init__(self, network: httpcore2.NetworkBackend, verify: ssl.SSLContext) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=verify,
            max_connections=1,
            network_backend=network,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request on the one connection."""
        answer = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        """Hang up."""
        self._pool.close()
