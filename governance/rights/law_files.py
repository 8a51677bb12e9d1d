"""Reading the files of `policies/rights/`: where they lie, where something stands in them, what it rests on.

A file of the same name in the installation's own policies folder replaces the shipped one. They are read as
policies are (plain YAML, no tags, no duplicate keys); InvalidError names file and line of what is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.errors import InvalidError
from governance.policy.documents import Node, compose
from governance.rights.clocks import Ground
from governance.rights.model import TYPES

SHIPPED = Path(__file__).resolve().parents[2] / "policies"
SOURCES = "sources.yaml"
_CHECKED = ("primary", "official")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, and the rows that it may cite."""

    file: str
    line: int
    sources: Mapping[str, bool]

    def wrong(self, complaint: str) -> InvalidError:
        """What is wrong here, with file and line."""
        return InvalidError(f"rights/{self.file}:{self.line}: {complaint}")


def texts(policies_dir: Path | None, suffix: str, folder: str = "") -> Iterator[tuple[str, str]]:
    """The files of a folder of `policies/rights/` by name; the installation's own replace the shipped."""
    found: dict[str, Path] = {}
    for root in (SHIPPED, policies_dir):
        place = None if root is None else root / "rights" / folder
        if place is not None and place.is_dir():
            found.update({path.name: path for path in sorted(place.glob(f"*{suffix}"))})
    for name, path in found.items():
        yield name, path.read_bytes().decode("utf-8", errors="replace")


def tree_of(name: str, text: str) -> Node:
    """A file as a tree; it has to be a mapping."""
    tree = compose(f"rights/{name}", text)
    if not isinstance(tree, Node):
        raise InvalidError(str(tree))
    if not isinstance(tree.value, dict):
        raise InvalidError(f"rights/{name}:{tree.line}: this file is a mapping.")
    return tree


def sources_of(text: str) -> Mapping[str, bool]:
    """Row → whether it was read whole, in the law's own text, with high confidence."""
    rows: Any = tree_of(SOURCES, text).plain()
    return {
        row: said["verification"] in _CHECKED and said["whole"] and said["confidence"] == "high"
        for row, said in rows["sources"].items()
    }


def ground_of(at: Place, said: Any) -> Ground:
    """What a rule rests on; verified only if every row behind it is."""
    rows = tuple(said["source"])
    missing = [row for row in rows if row not in at.sources]
    if missing:
        raise at.wrong(f"there is no row {missing[0]} in {SOURCES}.")
    if said["verified"] and not (rows and all(at.sources[row] for row in rows)):
        raise at.wrong("`verified: true` needs rows that were read whole in the law's own text.")
    return Ground(tuple(said["cites"]), rows, said["verified"])


def types_of(at: Place, said: Any) -> tuple[str, ...]:
    """The types of request that something is about; none: all."""
    types = tuple(said.get("types", ()))
    if any(each not in TYPES for each in types):
        raise at.wrong(f"a type of request is one of {', '.join(TYPES)}.")
    return types
