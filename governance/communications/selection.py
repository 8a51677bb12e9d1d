"""Whom a pass over an audience takes in. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom to pass over: everyone, those of some stages and countries, or those of some references.

    `after` and `until` bound the references (the first is left out, the last is not). Merged records are
    never counted.
    """

    relationship: Sequence[str] = ()
    country: Sequence[str] = ()
    subject_refs: Sequence[str] | None = None
    after: str | None = None
    until: str | None = None


EVERYONE = Selection()
