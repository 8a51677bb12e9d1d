"""The catalogue files: purposes, capture points, lawful bases, message classes and data classes.

They lie in `policies/catalogue/`; a file of the same name in the installation's own policies folder replaces
the shipped one. They are read as policies are (plain YAML, no tags, no duplicate keys).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from governance.errors import InvalidError
from governance.policy.documents import Node, compose
from governance.purposes.model import MessageClass, Vocabulary

SHIPPED = Path(__file__).resolve().parents[2] / "policies"

Entries = Mapping[str, Mapping[str, Any]]
"""Records by id."""


def purposes(policies_dir: Path | None) -> Entries:
    """The purposes to start from."""
    return _entries("purposes", policies_dir)


def capture_points(policies_dir: Path | None) -> Entries:
    """The capture points to start from."""
    return _entries("capture-points", policies_dir)


@cache
def vocabulary(policies_dir: Path | None) -> Vocabulary:
    """The codes that records may use; files are read once a process."""
    return Vocabulary(
        lawful_bases=frozenset(_entries("lawful-bases", policies_dir)),
        message_classes=frozenset(message_classes(policies_dir)),
        data_classes=frozenset(_entries("data-classes", policies_dir)),
    )


@cache
def message_classes(policies_dir: Path | None) -> Mapping[str, MessageClass]:
    """The classes of messages by id; files are read once a process."""
    found: dict[str, MessageClass] = {}
    for class_id, entry in _entries("message-classes", policies_dir).items():
        commercial = entry.get("commercial")
        if not isinstance(commercial, bool):
            raise InvalidError(
                f"catalogue/message-classes.yaml: say whether {class_id} is commercial: true or false."
            )
        found[class_id] = MessageClass(class_id, commercial, str(entry.get("title") or class_id))
    return found


def roles(policies_dir: Path | None) -> Entries:
    """The roles to start from, in an order in which each may include those before it."""
    return _entries("roles", policies_dir)


@cache
def data_classes(policies_dir: Path | None) -> Entries:
    """The classes of data, each with its `fields` (field to mask); files are read once a process."""
    return _entries("data-classes", policies_dir)


@cache
def masks(policies_dir: Path | None) -> Entries:
    """What is left of a masked value, by id; files are read once a process."""
    return _entries("masks", policies_dir)


@cache
def win_back(policies_dir: Path | None) -> Entries:
    """What can undo a refusal, in the order in which it is tried; files are read once a process."""
    return _entries("win-back", policies_dir)


@cache
def win_back_limits(policies_dir: Path | None) -> Entries:
    """Who is left out of win-back lists; files are read once a process."""
    return _entries("win-back-limits", policies_dir)


@cache
def transfer_instruments(policies_dir: Path | None) -> Entries:
    """What a transfer mechanism may be, by id; files are read once a process."""
    return _entries("transfer-instruments", policies_dir)


@cache
def message_class_signs(policies_dir: Path | None) -> Entries:
    """Signs of messages under a wrong class; files are read once a process."""
    return _entries("message-class-signs", policies_dir)


def _entries(name: str, policies_dir: Path | None) -> Entries:
    """The entries of one catalogue file; none if there is no such file. InvalidError names file and line."""
    for folder in (policies_dir, SHIPPED):
        path = None if folder is None else folder / "catalogue" / f"{name}.yaml"
        if path is not None and path.is_file():
            return dict(_read(f"catalogue/{name}.yaml", path.read_bytes().decode("utf-8", errors="replace")))
    return {}


def _read(file: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a list of entries, each with an `id`, that may stand under one heading."""
    tree = compose(file, text)
    if not isinstance(tree, Node):
        raise InvalidError(str(tree))
    if isinstance(tree.value, dict) and len(tree.value) == 1:
        tree = next(iter(tree.value.values()))
    if not isinstance(tree.value, list):
        raise InvalidError(f"{file}:{tree.line}: a catalogue file is a list of entries, each with an `id`.")
    seen: set[str] = set()
    for node in tree.value:
        entry = node.plain()
        entry_id = entry.pop("id", None) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(entry_id, str):
            raise InvalidError(f"{file}:{node.line}: each entry needs an `id`.")
        if entry_id in seen:
            raise InvalidError(f"{file}:{node.line}: the id {entry_id} is there twice; keep one.")
        seen.add(entry_id)
        yield entry_id, entry
