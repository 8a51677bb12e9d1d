"""Reads files as numbered rows, a row at a time. A row that cannot be read is an error, never a stop."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from governance.imports.mapping import check_columns
from governance.imports.model import ImportMapping, RowError

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
    reader = csv.reader(iter(lines), strict=True)
    header = next(reader, [])
    if header:
        header[0] = header[0].removeprefix("\ufeff")
    check_columns(file, mapping, header)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as problem:
            yield RowError(f"The row is not CSV: {problem}.")
            continue
        if fields is None:
            return
        if not fields:
            continue
        if len(fields) != len(header):
            yield RowError(f"The row has {len(fields)} fields, the header has {len(header)}.")
            continue
        yield _readable(dict(zip(header, fields, strict=True)))


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
        return RowError("The row is not JSON.")
    if not isinstance(document, dict):
        return RowError("The row is not a JSON object.")
    row: dict[str, str] = {}
    for name, value in document.items():
        if isinstance(value, dict | list):
            if name in mapping.columns:
                return RowError("A column holds an object or a list; give plain values.", column=name)
            continue
        row[name] = _text(value)
    return _readable(row)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _readable(row: Row) -> Row | RowError:
    for name, value in row.items():
        if "\x00" in value:
            return RowError("A field holds a NUL character.", column=name)
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            return RowError("A field is not UTF-8.", column=name)
    return row
