"""What of a person's row rules can tell apart, reckoned by the database: a few columns, one of them packed.

Flags and ages shrink to small numbers and share one integer, so that a row of a million is short and equal
people have equal keys. An age is reduced to the same bits as
`governance.policy.buckets.Bucketer.bucket_age` gives.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from governance.communications.facts import ANCHORS, FLAGS, RECORDED, Raw
from governance.communications.local_time import LOCAL
from governance.communications.register_store import checked_anchor, listed_digit
from governance.communications.sent import calls_since, confirmations
from governance.communications.situations import (
    AGE,
    CALL_WINDOWS,
    CHECKED_AGE,
    CONFIRMED,
    LISTED,
    TIME_ZONE,
    born,
)
from governance.policy.durations import Cutoff, Duration, cutoff
from governance.subjects.store import subject


@dataclass(frozen=True, slots=True)
class Digit:
    """A fact that is one of a few values, as a digit of the packed number: `values[digit]` is the fact."""

    fact: str
    expression: sa.ColumnElement[int]
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Key:
    """The columns that say all that rules use of a person's row.

    The packed number, then facts as they are.
    """

    columns: tuple[sa.ColumnElement[Any], ...]
    digits: tuple[Digit, ...]
    recorded: tuple[str, ...]

    def person(self, raw: Raw) -> dict[str, Any]:
        """Read the columns back as facts; ages are reduced already."""
        facts: dict[str, Any] = {"person.known": True}
        number = int(raw[0])
        for digit in self.digits:
            number, value = divmod(number, len(digit.values))
            facts[digit.fact] = digit.values[value]
        for name, value in zip(self.recorded, raw[1:], strict=True):
            facts[name] = value
        return facts


def narrowed(
    used: Iterable[str],
    thresholds: Mapping[str, Sequence[Any]],
    now: datetime,
    *,
    calls: bool = False,
    numbers: bool = False,
    confirming: bool = False,
) -> Key:
    """The key for the facts that rules use; `thresholds` as `CompiledPolicy.thresholds` gives them.

    `calls`: the question is about a call, so that earlier ones count. `numbers`: telephone numbers are to be
    reached, so that look-ups in registers count. `confirming`: the question is about a message that confirms
    an opt-out, so that earlier ones count.
    """
    digits: list[Digit] = []
    recorded: list[str] = []
    wanted = list(used)
    if not LOCAL.isdisjoint(wanted):
        # Local time is reckoned from these.
        wanted += [each for each in ("person.country", "person.region", TIME_ZONE) if each not in wanted]
    for fact in wanted:
        if fact in RECORDED:
            recorded.append(fact)
        elif fact in FLAGS:
            digits.append(Digit(fact, sa.case((FLAGS[fact], 1), else_=0), (False, True)))
        elif fact in ANCHORS:
            durations = [each for each in thresholds.get(fact, ()) if isinstance(each, Duration)]
            digits.append(_age(fact, ANCHORS[fact], [cutoff(each, now) for each in durations]))
        elif fact == LISTED and numbers:
            digits.append(Digit(fact, listed_digit(), (None, True, False)))
        elif fact == CHECKED_AGE and numbers:
            durations = [each for each in thresholds.get(fact, ()) if isinstance(each, Duration)]
            digits.append(_age(fact, checked_anchor(), [cutoff(each, now) for each in durations]))
        elif fact == AGE:
            durations = [each for each in thresholds.get(fact, ()) if isinstance(each, Duration)]
            digits.append(_years([cutoff(each, now) for each in durations]))
        elif fact in CALL_WINDOWS and calls:
            most = max(each for each in thresholds[fact] if isinstance(each, int))
            digits.append(_count(fact, calls_since(now - CALL_WINDOWS[fact], now), most))
        elif fact == CONFIRMED and confirming:
            most = max(each for each in thresholds[fact] if isinstance(each, int))
            digits.append(_count(fact, confirmations(), most))
    number: sa.ColumnElement[Any] = sa.literal_column("0")
    weight = 1
    for digit in digits:
        number = number + (digit.expression if weight == 1 else digit.expression * _constant(weight))
        weight *= len(digit.values)
    return Key((number, *(RECORDED[fact] for fact in recorded)), tuple(digits), tuple(recorded))


def _age(fact: str, anchor: sa.ColumnElement[Any], cutoffs: Sequence[Cutoff]) -> Digit:
    return Digit(fact, age_bits(anchor, cutoffs), (None, *range(1 << len(cutoffs))))


def age_bits(anchor: sa.ColumnElement[Any], cutoffs: Sequence[Cutoff]) -> sa.ColumnElement[int]:
    """An age as a small number: 0 if there is no anchor, else 1 plus a bit for each threshold reached."""
    bits: sa.ColumnElement[Any] = _constant(1)
    for place, edge in enumerate(cutoffs):
        bits = bits + sa.case((reached(anchor, edge), _constant(1 << place)), else_=_constant(0))
    return sa.case((anchor.is_(None), _constant(0)), else_=bits)


def reached(anchor: sa.ColumnElement[Any], edge: Cutoff) -> sa.ColumnElement[bool]:
    """`Cutoff.reached` in SQL.

    Up to `surely`, or on one of the clamped days not later in the day than `at`.
    """
    clauses = [anchor <= edge.surely]
    day = edge.surely.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day <= edge.possibly:
        clauses.append(sa.and_(anchor >= day, anchor <= datetime.combine(day, edge.at, day.tzinfo)))
        day += timedelta(days=1)
    return sa.or_(*clauses)


def _years(cutoffs: Sequence[Cutoff]) -> Digit:
    """As `age_bits` of `situations.born`: what is kept is the month of birth, a text."""
    month = subject.c.birth_month
    bits: sa.ColumnElement[Any] = _constant(1)
    for place, edge in enumerate(cutoffs):
        bits = bits + sa.case((month <= _last_month(edge), _constant(1 << place)), else_=_constant(0))
    expression = sa.case((month.is_(None), _constant(0)), else_=bits)
    return Digit(AGE, expression, (None, *range(1 << len(cutoffs))))


def _last_month(edge: Cutoff) -> str:
    """The latest month of birth (YYYY-MM) of those who have reached an age; '' before anybody was born."""
    last = edge.possibly + timedelta(days=31)
    while last.year > 1:
        month = f"{last.year:04d}-{last.month:02d}"
        anchor = born(month)
        if anchor is not None and edge.reached(anchor):
            return month
        last = last.replace(day=1) - timedelta(days=1)
    return ""


def _count(fact: str, counted: sa.ScalarSelect[int], most: int) -> Digit:
    """A rolling count up to the largest number that a rule names."""
    return Digit(fact, sa.case((counted >= most, most), else_=counted), range(most + 1))


def _constant(number: int) -> sa.ColumnElement[int]:
    """A number in the statement's text: PostgreSQL would have to guess the type of a parameter here."""
    return sa.literal_column(str(number), sa.BigInteger)
