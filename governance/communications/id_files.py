"""Reading a file of ids to screen: CSV or NDJSON; what is no id is reported by its line. Pure.

Nothing is lost: every line that is not empty is an id, a repetition of one, or rejected. What stood in a
rejected line is not repeated: it may be an e-mail address.
"""

import codecs
import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from governance.errors import InvalidError
from governance.subjects.model import check_external_id

FAULTS = ("no-id", "not-an-id", "address", "broken-row", "not-json")
"""What can be wrong with a line, in the order in which it is kept."""

SENTENCES = {
    "no-id": "The line names no id as text.",
    "not-an-id": "An id is 1 to 128 characters of A-Z a-z 0-9 . _ : - and starts with a letter or digit.",
    "address": "An e-mail address cannot be an id; use the CRM's opaque id.",
    "broken-row": "The row's quotation marks cannot be read.",
    "not-json": "The line is no JSON text or object.",
}
_HEADINGS = ("id", "external_id")
_DELIMITERS = ",;\t|"

Found = tuple[int, str | None, str | None]
"""Line number from 1, the text that should be an id, or what is wrong with the line."""


@dataclass(frozen=True, slots=True)
class IdFile:
    """What a file held: ids, each once in the order of its first mention; and the rest.

    `rejected` are (line number, fault). Lines read = ids + duplicates + rejected.
    """

    ids: tuple[str, ...]
    duplicates: int
    rejected: tuple[tuple[int, str], ...]


def read_id_file(content: bytes, *, name: str = "") -> IdFile:
    """Read a file; its `name` tells the format if it ends in .csv or .ndjson, else its first character does.

    Never raises for what stands in it; a file without any id gives none.
    """
    text_of_file = _text(content)
    lines = text_of_file.split("\n" if "\n" in text_of_file else "\r")
    ids: dict[str, None] = {}
    duplicates = 0
    rejected: list[tuple[int, str]] = []
    for number, text, fault in _ndjson(lines) if _is_ndjson(lines, name) else _csv(lines):
        wrong = fault or _wrong(text)
        if wrong is not None:
            rejected.append((number, wrong))
        elif text in ids:
            duplicates += 1
        elif text is not None:
            ids[text] = None
    return IdFile(tuple(ids), duplicates, tuple(rejected))


def _text(content: bytes) -> str:
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if content.startswith(mark):
            return content.decode("utf-16", errors="replace")
    # A byte that is no UTF-8 spoils its own line only: no id holds what it is read as.
    return content.decode("utf-8-sig", errors="replace")


def _wrong(text: str | None) -> str | None:
    if not text:
        return "no-id"
    try:
        check_external_id(text)
    except InvalidError:
        return "address" if "@" in text else "not-an-id"
    return None


def _is_ndjson(lines: Iterable[str], name: str) -> bool:
    ending = name.lower().rpartition(".")[2]
    if ending in ("csv", "tsv", "ndjson", "jsonl"):
        return ending in ("ndjson", "jsonl")
    first = next((line.strip() for line in lines if line.strip()), "")
    return first.startswith("{")


def _ndjson(lines: Iterable[str]) -> Iterator[Found]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield (number, *_json_id(line))


def _json_id(line: str) -> tuple[str | None, str | None]:
    """The id of one JSON document: a text, or an object's `id` (or `external_id`); or what is wrong."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None, "not-json"
    if isinstance(value, dict):
        value = value.get("id", value.get("external_id"))
    return (value, None) if isinstance(value, str) else (None, "no-id")


def _csv(lines: list[str]) -> Iterator[Found]:
    """The first column, or the one whose heading is `id` or `external_id`.

    A row whose quotation marks cannot be read is rejected, and reading goes on with the line after it: an
    unclosed mark does not swallow the rest of the file.
    """
    first = next((line for line in lines if line.strip()), "")
    mark = min((mark for mark in _DELIMITERS if mark in first), key=first.index, default=",")
    start, column, heading = 0, 0, True
    while start < len(lines):
        rows = csv.reader(_rest(lines, start), delimiter=mark, strict=True)
        begins = start
        try:
            for row in rows:
                number, begins = begins + 1, start + rows.line_num
                cells = [cell.strip() for cell in row]
                if not any(cells):
                    continue
                if heading:
                    heading = False
                    place = next((at for at, cell in enumerate(cells) if cell.lower() in _HEADINGS), None)
                    if place is not None:
                        column = place
                        continue
                yield number, cells[column] if column < len(cells) else None, None
            return
        except csv.Error:
            yield begins + 1, None, "broken-row"
            start = begins + 1


def _rest(lines: list[str], start: int) -> Iterator[str]:
    for place in range(start, len(lines)):
        yield lines[place] + "\n"
