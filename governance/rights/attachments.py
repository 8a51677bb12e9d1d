"""Files that systems gave in place of rows: they lie beside the page, under names that are never theirs.

A name from elsewhere is text in the page. In the ZIP a file is called by its number and an ending that its
media type may have: nothing that a browser would run from a folder of downloads.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from governance.systems.model import Item

_ENDINGS = {
    "application/pdf": "pdf", "text/plain": "txt", "image/png": "png", "image/jpeg": "jpg",
    "application/json": "json", "text/csv": "csv", "application/zip": "zip",
}  # fmt: skip


def files(items: Mapping[str, Sequence[Item]]) -> Iterator[tuple[str, Item, bytes]]:
    """The name in the ZIP, the item and the content of every attached file, by system, in order."""
    number = 0
    for _, found in sorted(items.items()):
        for each in found:
            if each.media:
                number += 1
                yield f"attached-{number}.{_ENDINGS.get(each.media, 'bin')}", each, _content(each)


def names(items: Mapping[str, Sequence[Item]]) -> dict[int, str]:
    """The names in the ZIP by the identity of the item."""
    return {id(each): name for name, each, _ in files(items)}


def values(item: Item, name: str) -> dict[str, Any]:
    """What is said of an attached file in place of its content: its own name, and where it lies."""
    return {"name": item.values.get("name"), "media_type": item.media, "attached": name}


def _content(item: Item) -> bytes:
    try:
        return base64.b64decode(item.values.get("base64") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        return b""
