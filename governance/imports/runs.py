"""A run of an import: what it is, and how it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

COUNTS = (
    "rows",
    "created",
    "updated",
    "unchanged",
    "blocked",
    "failed",
    "consents",
    "suppressions",
    "events",
)
"""What a run counts. `rows` = created + updated + unchanged + blocked + failed."""


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One file taken in with one mapping. `position` is the number of rows that are done, for good or ill.

    `state`: running | completed | failed (then `problem` says why). A run that was interrupted stays
    `running` and goes on at `position`.
    """

    import_id: str
    state: str
    mapping_name: str
    mapping_text: str
    total: int | None
    position: int
    counts: Mapping[str, int]
    problem: str | None
    started_at: datetime
    finished_at: datetime | None


def run_of(row: Mapping[str, Any]) -> ImportRun:
    """Read a stored row."""
    return ImportRun(**{name: row[name] for name in ImportRun.__slots__})


def no_counts() -> dict[str, int]:
    """The counts of a run that has not begun."""
    return dict.fromkeys(COUNTS, 0)
