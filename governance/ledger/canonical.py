"""Canonical JSON a second time, for the offline check: it shares nothing with what wrote the leaves."""

import json
from typing import Any, NoReturn


def canonical_object(line: bytes) -> dict[str, Any] | str:
    """Read a line that must be one canonical JSON object and a newline; else say what is wrong with it."""
    try:
        read = _read_json(line.decode())
        if not isinstance(read, dict):
            return "is no JSON object."
        # A surrogate written as an escape fails in encode(), a duplicate member in the comparison.
        if canonical(read) + b"\n" != line:
            return "is not canonical JSON ended by one newline."
    except (ValueError, RecursionError):
        return "is no JSON object."
    return read


def canonical(value: dict[str, Any]) -> bytes:
    """Write JSON as RFC 8785 does, for values without fractions whose member names are ASCII."""
    return _write_json(value).encode()


def _refuse(number: str) -> NoReturn:
    """Refuse fractions, infinities and NaN, which no line has."""
    raise ValueError(number)


_read_json = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse).decode


_write_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
