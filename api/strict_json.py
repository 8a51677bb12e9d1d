"""JSON as this door reads and writes it: nothing doubtful gets past the first function."""

import json
import math
from datetime import datetime
from typing import Any

from werkzeug.exceptions import BadRequest

from governance.clock import wire

MAX_DEPTH = 32
"""How deep arrays and objects may nest."""

_MAX_INTEGER = 2**53 - 1


def read(body: bytes) -> Any:
    """Read one JSON value (RFC 8259, UTF-8); raises werkzeug's BadRequest (400) saying what is wrong.

    Refused besides malformed text: an empty body, a name twice in one object, NaN and infinities, integers
    beyond 2^53 - 1 (RFC 7493), NUL characters, lone surrogates, and nesting deeper than 32.
    """
    if not body.strip():
        raise BadRequest("The body is empty; send a JSON document.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8.") from None
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise BadRequest(f"The JSON nests deeper than {MAX_DEPTH} levels.") from None
    except _Doubtful as doubt:
        raise BadRequest(str(doubt)) from None
    except ValueError as error:
        where = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise BadRequest(f"The body is not well-formed JSON{where}.") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    if "\\u" in text:
        _check_characters(value)
    return value


def write(value: object) -> bytes:
    """Write a JSON value compactly in UTF-8; instants become RFC 3339 with Z."""
    return _encoder.encode(value).encode("utf-8")


class _Doubtful(ValueError):
    """Well-formed, but two readers would understand it differently."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Doubtful("An object in the JSON has the same name twice.")
    return found


def _constant(name: str) -> None:
    raise _Doubtful(f"{name} is not a JSON number.")


def _integer(text: str) -> int:
    if len(text) > 20 or not -_MAX_INTEGER <= (number := int(text)) <= _MAX_INTEGER:
        raise _Doubtful(
            "A whole number in the JSON is beyond 2^53 - 1, which not every reader keeps exactly."
        )
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Doubtful("A number in the JSON is too large.")
    return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise BadRequest(f"The JSON nests deeper than {MAX_DEPTH} levels.")


def _check_characters(value: Any) -> None:
    waiting = [value]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, str):
            if "\x00" in thing:
                raise BadRequest("A string in the JSON holds the character NUL.")
            if any("\ud800" <= character <= "\udfff" for character in thing):
                raise BadRequest("A string in the JSON holds half of a surrogate pair.")
        elif isinstance(thing, dict):
            waiting.extend(thing)
            waiting.extend(thing.values())
        elif isinstance(thing, list):
            waiting.extend(thing)


def _plain(thing: object) -> str:
    if isinstance(thing, datetime):
        return wire(thing)
    raise TypeError(f"{type(thing).__name__} has no JSON form")


_decoder = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_int=_integer, parse_float=_number
)
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
