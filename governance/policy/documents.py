"""Policy files as located trees: every key and value knows its line, and nothing ambiguous gets in.

The files are YAML with less magic: only `true`, `false`, `null` and plain whole numbers are not text (so
`NO` is Norway and `21:00` a time of day); anchors, aliases, tags, duplicate keys and a second document are
refused. The canonical form of a set of files is compact JSON of their data in the order of the files, and it
can be read back without loss.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from governance.policy.conditions import Scalar
from governance.policy.model import Problem

_WHOLE_NUMBER = re.compile(r"^-?(0|[1-9][0-9]{0,14})$")
_PLAIN_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DEEPEST = 24
_LARGEST = 2_000_000
# The C parser gives the same events, ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain] | None"


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the line it stands on; `keys` gives the line of each key of a mapping.

    `text` is the whole text that a file was read from, at its root and only there.
    """

    value: str | int | bool | list[Node] | dict[str, Node] | None
    line: int
    keys: Mapping[str, int] = field(default_factory=dict)
    text: str | None = field(default=None, compare=False, repr=False)

    def plain(self) -> Plain:
        """Give the value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class _RefusedError(Exception):
    """A document that cannot be read at all."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


def read_files(*directories: Path) -> dict[str, str]:
    """Read all YAML files under `directories` as relative path -> text; a later directory's file replaces.

    A file of a later directory also replaces files of earlier ones that define the same pack (see the
    loader).
    """
    texts: dict[str, str] = {}
    for directory in directories:
        for path in sorted(directory.rglob("*.yaml")):
            texts[path.relative_to(directory).as_posix()] = path.read_bytes().decode(
                "utf-8", errors="replace"
            )
    return texts


def compose(file: str, text: str) -> Node | Problem:
    """Read one YAML text into a located tree, or say why not."""
    if len(text) > _LARGEST:
        return Problem(file, 0, f"the file is longer than {_LARGEST} characters; split it")
    if "\ufffd" in text:
        return Problem(
            file, text.count("\n", 0, text.index("\ufffd")) + 1, "the file is not UTF-8; save it as UTF-8"
        )
    try:
        events = yaml.parse(text, Loader=_LOADER)
        return replace(_document(events), text=text)
    except _RefusedError as refused:
        return Problem(file, refused.line, refused.sentence)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 0
        return Problem(file, line, "the file holds a character that is not allowed in YAML; remove it")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Problem(
            file, mark.line + 1 if mark else 0, f"this is not YAML: {error.problem or error.context}"
        )


def _document(events: Iterator[Any]) -> Node:
    """Build the one document of a stream of YAML events."""
    root: Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if root is not None:
                raise _RefusedError(
                    _line(event), "a file holds one document; move the second one to its own file"
                )
        elif isinstance(event, yaml.NodeEvent):
            root = _node(event, events, 1)
    if root is None:
        raise _RefusedError(1, "the file is empty; write a pack or remove the file")
    return root


def _line(event: Any) -> int:
    """Give the 1-based line of an event."""
    return int(event.start_mark.line) + 1


def _node(event: Any, events: Iterator[Any], depth: int) -> Node:
    """Build the node that starts with `event`."""
    line = _line(event)
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _RefusedError(line, "anchors and aliases are not allowed; write the value out")
    if event.tag is not None:
        raise _RefusedError(line, "tags are not allowed; write a plain value")
    if depth > _DEEPEST:
        raise _RefusedError(line, f"values are nested deeper than {_DEEPEST} levels; write it more simply")
    if isinstance(event, yaml.ScalarEvent):
        return Node(_scalar(event), line)
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Node] = []
        for inner in events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(_node(inner, events, depth + 1))
        return Node(items, line)
    return _mapping(events, line, depth)


def _mapping(events: Iterator[Any], line: int, depth: int) -> Node:
    """Build a mapping; keys are text and appear once."""
    members: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        if not isinstance(event, yaml.ScalarEvent):
            raise _RefusedError(_line(event), "a key must be plain text")
        key = str(event.value)
        if _UNSTORABLE.search(key):
            raise _RefusedError(_line(event), "a key holds a character that cannot be stored; remove it")
        if key in members:
            raise _RefusedError(_line(event), f"the key '{key}' stands here twice; keep one")
        if key == "<<":
            raise _RefusedError(_line(event), "merge keys are not allowed; write the values out")
        lines[key] = _line(event)
        members[key] = _node(next(events), events, depth + 1)
    return Node(members, line, lines)


def _scalar(event: Any) -> Scalar | None:
    """Give the value of a scalar; quoted scalars are always text."""
    text = str(event.value)
    if not text.isprintable() and _UNSTORABLE.search(text):
        raise _RefusedError(_line(event), "the text holds a character that cannot be stored; remove it")
    if event.style:
        return text
    if text in _PLAIN_WORDS:
        return _PLAIN_WORDS[text]
    return int(text) if _WHOLE_NUMBER.match(text) else text


def canonical(trees: Mapping[str, Node]) -> bytes:
    """Give the canonical form of a set of documents: compact JSON of path -> data, paths sorted.

    Within a document the order of members is kept: the order of codes is the order of the waterfall.
    """
    documents = {path: trees[path].plain() for path in sorted(trees)}
    text = json.dumps({"format": 2, "documents": documents}, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def from_canonical(text: bytes) -> dict[str, Node]:
    """Read trees back from their canonical form; lines are 0."""
    return dict(_trees(text))


def some_from_canonical(text: bytes, wanted: Callable[[str], bool]) -> dict[str, Node]:
    """Read back only the trees whose path is wanted."""
    documents = json.loads(text)["documents"]
    return {path: _located(value) for path, value in documents.items() if wanted(path)}


@lru_cache(maxsize=2)  # whoever works at a draft asks for what is in force at every step
def _trees(text: bytes) -> Mapping[str, Node]:
    return some_from_canonical(text, lambda _: True)


def _located(value: Any) -> Node:
    """Turn plain data into a tree without lines."""
    if isinstance(value, dict):
        return Node({key: _located(item) for key, item in value.items()}, 0)
    if isinstance(value, list):
        return Node([_located(item) for item in value], 0)
    return Node(value, 0)
