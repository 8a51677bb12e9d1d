"""Complaints of the loader: collected, each with file, line and the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from governance.errors import InvalidError
from governance.policy.documents import Node
from governance.policy.model import Problem


class PolicyError(InvalidError):
    """Policies were refused; `problems` holds every complaint in order of file and line."""

    code = "policy-refused"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda one: (one.file, one.line, one.sentence)))
        count = len(self.problems)
        lines = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"The policies were refused for {count} reason{'' if count == 1 else 's'}:\n{lines}")


_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,79}$")


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Give `; did you mean '…'?` for the most similar known name, or nothing."""
    found = get_close_matches(wrong, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean '{found[0]}'?" if found else ""


_SUGGESTED = re.compile(r"; did you mean '([^']*)'\?")


def suggestion(sentence: str) -> str | None:
    """Give the known name that a complaint suggests, None if it suggests none."""
    found = _SUGGESTED.search(sentence)
    return None if found is None else found.group(1)


@dataclass(frozen=True, slots=True)
class Complaints:
    """The complaints about one file, and readers of its nodes that complain instead of raising."""

    file: str
    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, sentence: str) -> None:
        """Add a complaint about a line."""
        self.found.append(Problem(self.file, line, sentence))

    def unknown(self, line: int, what: str, wrong: str, known: Iterable[str]) -> None:
        """Complain about a name that is not known, with the nearest that is."""
        self.add(line, f"unknown {what} '{wrong}'{nearest(wrong, known)}")

    def members(
        self, node: Node, what: str, known: Iterable[str], needed: Iterable[str] = ()
    ) -> dict[str, Node]:
        """Read a mapping with only `known` keys and all `needed` ones; empty if it is not a mapping."""
        if not isinstance(node.value, dict):
            self.add(node.line, f"{what} must be a mapping of names to values")
            return {}
        names = set(known) | set(needed)
        for key in node.value:
            if key not in names:
                self.unknown(node.keys.get(key, node.line), f"member of {what}", key, names)
        for key in needed:
            if key not in node.value:
                self.add(node.line, f"{what} needs '{key}'")
        return node.value

    def mapping(self, node: Node | None, what: str) -> dict[str, Node]:
        """Read a mapping with any keys; empty if absent or something else."""
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.add(node.line, f"{what} must be a mapping of names to values")
            return {}
        return node.value

    def items(self, node: Node | None, what: str) -> list[Node]:
        """Read a list; empty if absent or something else."""
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.add(node.line, f"{what} must be a list")
            return []
        return node.value

    def text(self, node: Node | None, what: str, default: str = "") -> str:
        """Read a text that is not empty; the default if absent."""
        if node is None:
            return default
        if not isinstance(node.value, str) or not node.value.strip():
            self.add(node.line, f"{what} must be text")
            return default
        return node.value.strip()

    def name(self, node: Node | None, what: str) -> str:
        """Read a name of a-z, 0-9, - and _; `?` after a complaint or if absent."""
        text = self.text(node, what, "?")
        if node is not None and text != "?" and not _NAME.match(text):
            self.add(node.line, f"'{text}' is no {what}; write at most 80 of a-z, 0-9, - and _")
            return "?"
        return text

    def texts(self, node: Node | None, what: str) -> tuple[str, ...]:
        """Read a list of texts."""
        return tuple(
            text for item in self.items(node, what) if (text := self.text(item, f"an entry of {what}"))
        )

    def flag(self, node: Node | None, what: str, default: bool = False) -> bool:
        """Read true or false; the default if absent."""
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self.add(node.line, f"{what} must be true or false")
            return default
        return node.value
