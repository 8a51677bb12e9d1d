"""What the JSON reader refuses, and that it never breaks."""

import json
from datetime import UTC, datetime

import pytest
from werkzeug.exceptions import BadRequest

from api import strict_json


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"{} {}",
        b'{"a": 1, "a": 2}',
        b'[{"a": {"b": 1, "b": 1}}]',
        b"NaN",
        b'{"a": Infinity}',
        b"-Infinity",
        b"1e999",
        b"9007199254740992",
        b"1" * 5000,
        b"'x'",
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": "\x00"}',
        b'["\\ud800"]',
        b'{"\\udc00x": 1}',
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        b"[" * 33 + b"]" * 33,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * 1_000_000,
    ],
)
def test_doubtful_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        strict_json.read(body)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "ä€😀",
        {"a": [1, 2.5, None, True]},
        2**53 - 1,
        -(2**53) + 1,
        "\\u0000",
        json.loads("[" * 32 + "]" * 32),
    ],
)
def test_sound_json_comes_back_as_it_was(value: object) -> None:
    assert strict_json.read(json.dumps(value).encode()) == value
    assert strict_json.read(strict_json.write(value)) == value


def test_many_shallow_containers_are_not_deep() -> None:
    assert len(strict_json.read(b"[" + b",".join([b"{}"] * 1000) + b"]")) == 1000


def test_instants_are_written_in_utc() -> None:
    assert (
        strict_json.write({"at": datetime(2026, 11, 21, 10, tzinfo=UTC)})
        == b'{"at":"2026-11-21T10:00:00.000000Z"}'
    )
