"""A body that is too large is refused whole, and its sender gets to read that."""

import http.client
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from tests.promises.servers import serving, token_from

LINE = json.dumps({"subject": {"id": "crm-1"}, "purpose": "marketing", "evidence": {"note": "x" * 3000}})
TOO_LARGE = "\n".join([LINE] * 800).encode()


def pieces() -> Iterator[bytes]:
    """The body in chunks, as a sender that does not know its length sends it."""
    for first in range(0, len(TOO_LARGE), 65_536):
        yield TOO_LARGE[first : first + 65_536]


@pytest.fixture
def line(runtime: Runtime, tmp_path: Path) -> Iterator[tuple[http.client.HTTPConnection, dict[str, str]]]:
    """A connection to a server, and the headers of a caller."""
    with runtime.work("acme", COMMAND_LINE) as work:
        made = callers.create_client(work, name="sender", scopes=["consents:write"])
    assert made.secret
    with serving(replace(runtime.settings, max_batch_bytes=1_048_576), tmp_path / "server.log") as [server]:
        token = token_from(server.port, made.component.client_id, made.secret)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        yield connection, {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        connection.close()


def test_an_oversized_body_is_refused_whole_and_the_answer_arrives(
    line: tuple[http.client.HTTPConnection, dict[str, str]],
) -> None:
    connection, headers = line
    for chunked, hang_up in itertools.product((False, True), repeat=2):
        sent = headers | ({"Connection": "close"} if hang_up else {})
        body = pieces() if chunked else TOO_LARGE
        connection.request("POST", "/v1/consents/batch", body, sent, encode_chunked=chunked)
        answer = connection.getresponse()
        told = answer.read()
        assert (answer.status, json.loads(told)["status"]) == (413, 413), (chunked, hang_up)
        connection.request("GET", "/healthz")
        following = connection.getresponse()
        assert following.status == 200
        following.read()


def test_a_chunked_body_of_usable_size_is_read_whole(
    line: tuple[http.client.HTTPConnection, dict[str, str]],
) -> None:
    connection, headers = line
    body = iter([LINE.encode(), b"\n", LINE.encode()])
    connection.request("POST", "/v1/consents/batch", body, headers, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200
    assert [json.loads(each)["status"] for each in answer.read().splitlines()] == [422, 422]
