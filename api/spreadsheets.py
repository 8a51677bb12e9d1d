"""CSV for spreadsheets: what a programme could take for a formula is written as text."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

MEDIA_TYPE = "text/csv; charset=utf-8"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the wide forms of = + - @, which East Asian spreadsheets take for the plain ones."""


def cell(value: object) -> str:
    """A value as a cell; text that a spreadsheet would reckon with begins with an apostrophe (OWASP)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # a number is no formula, whatever its sign
    text = _text(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def table(columns: Sequence[str], documents: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """A heading and a row per document; lists are joined by blanks, members by semicolons."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(columns)
    for document in documents:
        writer.writerow([cell(document.get(name)) for name in columns])
        if sink.tell() > 65_536:
            yield _taken(sink)
    yield _taken(sink)


def _text(value: object) -> str:
    """A value in words: nothing that only a programmer would read."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_text(each)}" for name, each in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(map(_text, value))
    return str(value)


def _taken(sink: io.StringIO) -> bytes:
    text = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return text.encode()
