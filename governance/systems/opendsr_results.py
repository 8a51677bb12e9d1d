"""What a processor found for a request of access: fetched from its `results_url`, and read into items.

OpenDSR says where results are (8.2, `results_url`) and nothing of their form: a ZIP, JSON, CSV or any other
file. Nothing in it is trusted: names of files are text, never paths; what cannot be read into items is handed
on as an attached file. The credentials go to the processor's own origin only.
"""

import base64
import csv
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from governance.egress.client import Limits
from governance.systems import far_side
from governance.systems.connector import Context, Problem
from governance.systems.model import WAITING, Item, Outcome
from governance.systems.texts import keepable_json

MOST_BYTES = 16 * 1_048_576
"""How large an answer may be, and what a ZIP may unpack to: twice that."""

_LIMITS = Limits(seconds=30.0, bytes=MOST_BYTES)
_MOST_MEMBERS = 200
_MOST_ROWS = 20_000
_FIRST_PAUSE = timedelta(minutes=5)
_NOT_YET = frozenset({202, 204, 404, 408, 409, 425, 429})
_CLASS = re.compile(r"[a-z][a-z0-9_]{0,62}")
_OURS = "your-data.json"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError, EOFError, OSError,
    ValueError, struct.error, LookupError,
)  # fmt: skip
"""What a damaged ZIP raises: for a name that is no UTF-8, a place before its beginning, and more."""

_MEDIA = {
    "pdf": "application/pdf", "txt": "text/plain", "html": "text/html", "png": "image/png",
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "json": "application/json", "csv": "text/csv",
}  # fmt: skip


def fetch(context: Context, where: str, reference: str, longest: timedelta) -> tuple[Item, ...] | Outcome:
    """What lies at a `results_url`, as items; an outcome that waits while it is not there.

    Raises Problem where it can never be had as it is. `longest`: the longest pause between two looks.
    """
    url, headers = context.draft.secrets["url"], {"Accept": "application/zip, application/json, */*"}
    if not _is_theirs(context, where, url):
        raise Problem(
            "The processor's results are on a host that is not its own; name it in `results_hosts`."
        )
    if _origin(where) == _origin(url) and "authorization" in context.draft.secrets:
        headers["Authorization"] = context.draft.secrets["authorization"]
    try:
        got = far_side.ask(context, "GET", where, b"", headers, limits=_LIMITS)
    except Problem as problem:
        if problem.transient:
            return not_yet(context, reference, longest)
        raise
    status = got.attempt.status or 0
    if status in _NOT_YET or status >= 500:
        return not_yet(context, reference, longest)
    if not got.attempt.delivered:
        raise Problem(f"The processor does not give its results (status {status}); ask it for them.")
    media = got.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        return tuple(_read(context, _name(where), media, got.body))
    except Problem as problem:
        if problem.transient:  # it was made before it was whole
            return not_yet(context, reference, longest)
        raise


def not_yet(context: Context, reference: str, longest: timedelta) -> Outcome:
    """The outcome of results that are not there: looked for again, after longer and longer pauses."""
    pause = min(longest, _FIRST_PAUSE * 2 ** min(context.attempts, 12))
    because = "The processor says that it is done, but its results are not there yet."
    return Outcome(WAITING, because, reference=reference, check_after=context.now + pause)


def _is_theirs(context: Context, where: str, url: str) -> bool:
    host = urlsplit(where).hostname
    config = context.draft.config
    return host in {config["domain"], urlsplit(url).hostname, *config.get("results_hosts", ())}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _name(where: str) -> str:
    return urlsplit(where).path.rpartition("/")[2] or "results"


def _read(context: Context, name: str, media: str, body: bytes) -> Iterator[Item]:
    if body.startswith(b"PK\x03\x04"):
        yield from _unpacked(context, body)
    else:
        yield from _file(context, name, media, body)


def _unpacked(context: Context, body: bytes) -> Iterator[Item]:
    """The files of a ZIP. One of ours says all in its JSON: its page says it again."""
    left = 2 * MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            ours = [each for each in members if each.filename == _OURS]
            if len(members) > _MOST_MEMBERS:
                raise Problem("The processor's results hold too many files; ask it for fewer.")
            for each in members:
                with archive.open(each) as opened:
                    content = opened.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise Problem("The processor's results unpack to more than is taken; ask it for less.")
                if not (ours and each.filename == "your-data.html"):
                    name = each.filename.replace("\\", "/").rpartition("/")[2]
                    yield from _file(context, name, "", content)
    except _DAMAGED:
        raise Problem("The processor's results are a ZIP that cannot be opened; ask it for them.") from None


def _file(context: Context, name: str, media: str, content: bytes) -> Iterator[Item]:
    media = media if media and media != "application/octet-stream" else _MEDIA.get(_ending(name), "")
    found: list[Item] | None = None
    if media == "application/json" or media.endswith("+json"):
        found = _json(context, name, content)
    elif media == "text/csv":
        found = _csv(context, name, content)
    if found is not None:
        yield from found
        return
    values = {"name": _printable(name), "base64": base64.b64encode(content).decode()}
    yield Item(
        _first(context), "opendsr", _printable(name), values, media=media or "application/octet-stream"
    )


def _json(context: Context, name: str, content: bytes) -> list[Item] | None:
    """The objects of a JSON file; None if there are none that could be told apart."""
    try:
        document = keepable_json(json.loads(content))
    except (ValueError, RecursionError):
        return None
    if isinstance(document, dict) and {"held_here", "systems", "not_answered"} <= set(document):
        return list(_package(context, document))
    rows = document if isinstance(document, list) else [document]
    if not all(isinstance(each, dict) for each in rows) or len(rows) > _MOST_ROWS:
        return None
    return [_item(context, None, name, number, each) for number, each in enumerate(rows, 1)]


def _csv(context: Context, name: str, content: bytes) -> list[Item] | None:
    try:
        text = content.decode("utf-8-sig")
        table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (ValueError, csv.Error):
        return None
    if not table or len(table) > _MOST_ROWS or any(len(each) > len(table[0]) for each in table):
        return None
    head = [each or f"column_{number}" for number, each in enumerate(table[0], 1)]
    if len(set(head)) < len(head):
        return None
    rows = (dict(zip(head, each, strict=False)) for each in table[1:] if each)
    return [_item(context, None, name, number, each) for number, each in enumerate(rows, 1)]


def _package(context: Context, document: Mapping[str, Any]) -> Iterator[Item]:
    """The items of a package that this service made, for another controller."""
    number = 0
    for section in _objects(document.get("held_here")):
        for row in _objects(section.get("rows")):
            number += 1
            yield _item(context, section.get("data_class"), section.get("title"), number, row)
    for system in _objects(document.get("systems")):
        for each in _objects(system.get("items")):
            number += 1
            values = each.get("values")
            if isinstance(values, dict):
                yield _item(context, each.get("data_class"), each.get("table"), number, values)
    missing = _objects(document.get("not_answered"))
    if any(missing):
        raise Problem("The processor's results are not whole yet; ask it when they are.", transient=True)


def _item(
    context: Context, data_class: object, table: object, number: int, values: Mapping[str, Any]
) -> Item:
    known = isinstance(data_class, str) and _CLASS.fullmatch(data_class)
    return Item(
        str(data_class) if known else _first(context), _printable(str(table)), str(number), dict(values)
    )


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _first(context: Context) -> str:
    return context.data_classes[0] if context.data_classes else "opendsr"


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _printable(name: str) -> str:
    return "".join(each for each in name if each.isprintable())[:128] or "results"
