"""Reads files as numbered rows, a row at a time. A row that cannot be read is an error, never a stop."""

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from governance.imports.mapping import MappingError, check_columns
from governance.imports.model import ImportMapping, RowError
from governance.policy.model import Problem

Row = Mapping[str, str]
_LOOKED_AT = 1000  # rows of NDJSON in which every column of the mapping should have appeared once


def rows(
    mapping: ImportMapping, mapping_file: str, lines: Iterable[str]
) -> Iterator[tuple[int, Row | RowError]]:
    """Give each data row with its number, counted from 1; raises MappingError for columns that are not there.

    `lines` keep their ends; text that was not UTF-8 arrives as lone surrogates and makes its row an error.
    """
    found = (
        _ndjson(mapping, mapping_file, lines)
        if mapping.format == "ndjson"
        else _csv(mapping, mapping_file, lines)
    )
    return enumerate(found, start=1)


def _csv(mapping: ImportMapping, file: str, lines: Iterable[str]) -> Iterator[Row | RowError]:
    source = _Lines(lines)
    reader = csv.reader(source, strict=True)
    header = _header(file, reader)
    check_columns(file, mapping, header)
    while True:
        source.taken.clear()
        try:
            fields = next(reader, None)
        except csv.Error as problem:
            yield RowError(f"The row is not CSV: {problem}.", text=source.give_back_all_but_one())
            continue
        if fields is None:
            return
        if not fields:
            continue
        if len(fields) != len(header):
            counted = f"The row has {len(fields)} fields, the header has {len(header)}."
            yield RowError(counted, text="".join(source.taken))
            continue
        yield _readable(mapping, dict(zip(header, fields, strict=True)))


def _header(file: str, reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as problem:
        raise MappingError([Problem(file, 1, f"the file's first line is not CSV: {problem}")]) from None
    return [header[0].removeprefix("\ufeff"), *header[1:]] if header else []


class _Lines:
    """Hands lines to the CSV reader, and takes back those that a quotation mark swallowed by mistake."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._returned: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        return line

    def give_back_all_but_one(self) -> str:
        """Read the lines after the first again, as rows of their own; gives the first."""
        self._returned.extendleft(reversed(self.taken[1:]))
        return self.taken[0]


def _ndjson(mapping: ImportMapping, file: str, lines: Iterable[str]) -> Iterator[Row | RowError]:
    parsed = (_json_row(mapping, line) for line in lines if line.strip())
    first = list(islice(parsed, _LOOKED_AT))
    seen = {name for row in first if not isinstance(row, RowError) for name in row}
    if any(not isinstance(row, RowError) for row in first):
        check_columns(file, mapping, seen)
    for row in chain(first, parsed):
        if isinstance(row, RowError):
            yield row
        else:
            yield {**dict.fromkeys(mapping.columns, ""), **row}


def _json_row(mapping: ImportMapping, line: str) -> Row | RowError:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return RowError("The row is not JSON.", text=line)
    if not isinstance(document, dict):
        return RowError("The row is not a JSON object.", text=line)
    row: dict[str, str] = {}
    for name, value in document.items():
        if isinstance(value, dict | list):
            if name in mapping.columns:
                complaint = "A column holds an object or a list; give plain values."
                return RowError(complaint, column=name, text=line)
            continue
        row[name] = _text(value)
    return _readable(mapping, row)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _readable(mapping: ImportMapping, row: Row) -> Row | RowError:
    for name, value in row.items():
        complaint = ""
        if "\x00" in value:
            complaint = "A field holds a NUL character."
        elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            complaint = "A field is not UTF-8."
        if complaint:
            # Names of other columns come from the file and may be anything.
            return RowError(complaint, column=name if name in mapping.columns else "", value=value)
    return row
