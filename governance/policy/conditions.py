"""Conditions: what a rule compares facts with, and how comparisons are joined. Pure; `grammar` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from governance.policy.durations import Duration

Scalar: TypeAlias = str | int | bool

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison: `fact`, `op` and its operand; `words`: the entries of a list as sentences name them.

    Operands: `is` a scalar; `in`/`not_in` a frozenset; `under`/`at_least` a Duration or an integer;
    `between` a pair of minutes of the day; `absent`/`present` True.
    """

    fact: str
    op: str
    value: Scalar | frozenset[str] | frozenset[int] | Duration | tuple[int, int]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AllOf:
    """Met when every part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Met when at least one part is."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Leaf | AllOf | AnyOf
