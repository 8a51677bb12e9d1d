"""Bulk forms: NDJSON in, NDJSON out, a result per line; a bad line never stops the others."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, UnsupportedMediaType

from api import problems, strict_json
from api.runtime import Again, Pending, Reply, finish, idempotency_key, request_work, start, this_runtime
from governance.errors import GovernanceError
from governance.work import Work

MEDIA_TYPE = "application/x-ndjson"
MOST_LINES = 1000
CHUNK = 100
"""Lines that share a transaction: their effects are sealed into the ledger together."""

_ACCEPTED = (MEDIA_TYPE, "application/ndjson", "application/jsonl", "application/jsonlines")

TOGETHER = 500
"""Lines that are taken in bulk by one transaction, with one event for all of them."""

One = Callable[[Work, Any], Reply | Response]
Many = Callable[[Work, list[Any]], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch: number (from 1), bytes, and what they were read into or what is wrong."""

    number: int
    raw: bytes
    value: Any = None
    fault: Response | None = None


def run_batch(one: One, schema: ma.Schema, *, again: Again | None = None) -> Response:
    """Run an effect for each line of the request's body and answer a line for each, in order.

    Lines that name the same person keep their order; persons are taken in a fixed order, so that two batches
    never wait for each other in a circle. With an Idempotency-Key, every line is remembered by itself.
    """
    key = idempotency_key()
    accept_batch()
    lines = [_read(number, raw, schema) for number, raw in _lines()]
    body = b"".join(strict_json.write(each) + b"\n" for each in run_lines(lines, one, again=again, key=key))
    return Response(body, 200, content_type=MEDIA_TYPE)


def accept_batch() -> None:
    """Let this request be as large as a batch may be; call it before anything of the body is read."""
    request.max_content_length = this_runtime().settings.max_batch_bytes


def run_lines(
    lines: Sequence[Line], one: One, *, again: Again | None = None, key: str | None = None
) -> list[dict[str, Any]]:
    """Run an effect for each line that could be read, 100 in a transaction; a result for each, in order."""
    results: dict[int, dict[str, Any]] = {
        line.number: _result(line.number, line.fault) for line in lines if line.fault is not None
    }
    waiting = sorted((line for line in lines if line.fault is None), key=_person)
    for first in range(0, len(waiting), CHUNK):
        results.update(_run_chunk(waiting[first : first + CHUNK], one, again, key))
    return [results[line.number] for line in lines]


def _lines() -> Iterator[tuple[int, bytes]]:
    if request.mimetype not in _ACCEPTED:
        raise UnsupportedMediaType(f"Send one JSON document a line as {MEDIA_TYPE}.")
    lines = request.get_data(cache=False).split(b"\n")
    numbered = [(number, raw) for number, raw in enumerate(lines, start=1) if raw.strip()]
    if len(numbered) > MOST_LINES:
        raise RequestEntityTooLarge(f"A batch has at most {MOST_LINES} lines.")
    return iter(numbered)


def _read(number: int, raw: bytes, schema: ma.Schema) -> Line:
    try:
        return Line(number, raw, value=schema.load(strict_json.read(raw)))
    except ma.ValidationError as error:
        return Line(number, raw, fault=problems.of_fields({"json": error.messages}))
    except HTTPException as error:
        return Line(number, raw, fault=problems.of_http(error))
    except GovernanceError as error:
        return Line(number, raw, fault=problems.of_domain(error))


def _person(line: Line) -> str:
    return repr(line.value.get("subject") if isinstance(line.value, dict) else None)


def _run_chunk(
    lines: Sequence[Line], one: One, again: Again | None, key: str | None
) -> dict[int, dict[str, Any]]:
    """Run some lines in one transaction, each behind a savepoint of its own."""
    with request_work() as work:
        pending = [(line.number, _run_line(work, line, one, again, key)) for line in lines]
        work.seal()
        return {number: _result(number, finish(work, each)) for number, each in pending}


def _run_line(work: Work, line: Line, one: One, again: Again | None, key: str | None) -> Pending:
    line_key = None if key is None else f"{key}#{line.number}"
    mark = work.mark()
    try:
        with work.connection.begin_nested():
            return start(work, lambda work: one(work, line.value), again, key=line_key, body=line.raw)
    except GovernanceError as error:
        fault = problems.of_domain(error)
    except DBAPIError as error:
        fault = problems.of_database(error)
    work.rewind(mark)
    return Pending(fault)


def _result(number: int, made: Reply | Response) -> dict[str, Any]:
    if isinstance(made, Response):
        return {"line": number, "status": made.status_code, "problem": json.loads(made.get_data())}
    document = made.document
    assert not callable(document)
    return {"line": number, "status": made.status, **document}


def run_together(many: Many, schema: ma.Schema) -> Response:
    """Run an effect for `TOGETHER` lines of the request's body at a time, each time in one transaction.

    For lines that the domain takes in bulk, refusing the bad ones itself: `many` gives a result for each.
    """
    lines = [_read(number, raw, schema) for number, raw in _lines()]
    results: dict[int, dict[str, Any]] = {
        line.number: _result(line.number, line.fault) for line in lines if line.fault is not None
    }
    good = [line for line in lines if line.fault is None]
    for first in range(0, len(good), TOGETHER):
        part = good[first : first + TOGETHER]
        with request_work() as work:
            made = many(work, [line.value for line in part])
        results.update(
            {line.number: {"line": line.number, **each} for line, each in zip(part, made, strict=True)}
        )
    body = b"".join(strict_json.write(results[line.number]) + b"\n" for line in lines)
    return Response(body, 200, content_type=MEDIA_TYPE)
