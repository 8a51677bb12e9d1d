"""Deciding again what was decided before: from the facts as a decision keeps them, by any policy. Pure.

Every distinct fact vector is decided once. What refused and is no rule of a policy (a frequency cap, an asker
who left) refuses again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from governance.decisions.model import EVALUATION_FAILED
from governance.policy.buckets import Vector
from governance.policy.codegen import COUNTED, COVERED, Layout
from governance.policy.compiled import CompiledPolicy
from governance.policy.durations import Duration, cutoff, minus
from governance.policy.model import FactType
from governance.policy.outcome import combine

_NO_POLICY = ("caps.", "askers.")
_SHORTEST_MONTH, _LONGEST_MONTH = timedelta(days=28), timedelta(days=31)
_A_DAY = timedelta(days=1)
_MOST_HELD = 200_000


@dataclass(frozen=True, slots=True)
class Again:
    """What a policy says of one decision: whether it allows, and which rules are in the way and their codes.

    `against` are ids of rules that forbid, or of the permit that came nearest where none permits.
    """

    allowed: bool
    against: frozenset[str] = frozenset()
    codes: tuple[str, ...] = ()


_Convert = Callable[[Any, datetime], Any]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How kept facts become the vector of one action: fact -> place, and what reduces it (None: as it is)."""

    layout: Layout
    steps: Mapping[str, tuple[int, _Convert | None]]
    width: int
    covered: int | None


@dataclass(slots=True)
class Redecider:
    """Decides kept decisions again by one policy; make one for a stream of them."""

    policy: CompiledPolicy
    held: dict[tuple[str, Vector], Again] = field(default_factory=dict)
    _plans: dict[str, _Plan] = field(default_factory=dict)
    distinct: int = 0

    def decide(
        self,
        action: str,
        worlds: Sequence[Mapping[str, Any]],
        now: datetime,
        standing: Sequence[str] = (),
        lifted: Collection[str] = (),
    ) -> Again:
        """Decide about the worlds of a decision at its `now`.

        `standing`: refusals that are no policy's; `lifted`: rules that were overridden.
        """
        if lifted:
            whole = self.decide(action, worlds, now, standing)
            rest = whole.against.difference(lifted)
            return whole if rest == whole.against else Again(not rest, rest, whole.codes if rest else ())
        if len(worlds) == 1 and not standing:
            return self._of(action, self.vector(action, worlds[0], now))
        answers = [self._of(action, self.vector(action, world, now)) for world in worlds]
        codes = dict.fromkeys(code for each in answers for code in each.codes)
        return Again(
            bool(answers) and all(each.allowed for each in answers) and not standing,
            frozenset[str]().union(standing, *(each.against for each in answers)),
            tuple(codes),
        )

    def vector(self, action: str, facts: Mapping[str, Any], now: datetime) -> Vector:
        """Reduce facts as a decision keeps them; the same as a `Bucketer` of that instant makes of them."""
        plan = self._plans.get(action) or self._planned(action)
        values: list[Any] = [None] * plan.width
        steps = plan.steps
        for name, value in facts.items():
            step = steps.get(name)
            if step is not None and value is not None:
                place, convert = step
                values[place] = value if convert is None else convert(value, now)
        if plan.covered is not None and COVERED not in facts:
            values[plan.covered] = self._covered(facts)
        values.append(plan.layout.epoch(now))
        return tuple(values)

    def _of(self, action: str, vector: Vector) -> Again:
        key = (action, vector)
        found = self.held.get(key)
        if found is None:
            if len(self.held) >= _MOST_HELD:
                self.held.clear()
            self.distinct += 1
            outcome = combine(self.policy, action, vector, self.policy.matching(action, vector))
            against = {rule.id for _, rule in outcome.forbids}
            if outcome.silence is not None:
                against.add(outcome.silence.rule or outcome.silence.code)
            found = self.held[key] = Again(outcome.allowed, frozenset(against), outcome.codes)
        return found

    def _planned(self, action: str) -> _Plan:
        layout = self.policy.program(action).layout
        steps = {name: (place, _converter(layout, name)) for name, place in layout.positions.items()}
        plan = self._plans[action] = _Plan(layout, steps, len(layout.names), layout.covered)
        return plan

    def _covered(self, facts: Mapping[str, Any]) -> bool:
        country, channel = facts.get("person.country"), facts.get("message.channel")
        if country is None or channel is None or not self.policy.covered(country, channel):
            return False
        point = facts.get("contact_point.country")
        return point is None or self.policy.covered(point, channel)


def standing_refusals(reasons: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Give what refused a kept decision and is no policy's; None if it was not evaluated at all."""
    if any(reason["code"] == EVALUATION_FAILED for reason in reasons):
        return None
    return [reason["rule"] for reason in reasons if reason["rule"].startswith(_NO_POLICY)]


def _edges(duration: Duration) -> tuple[Duration, timedelta, timedelta]:
    """Give a threshold with the ages below and from which it needs no calendar to know."""
    if duration.months:
        return (
            duration,
            duration.months * _SHORTEST_MONTH - _A_DAY,
            duration.months * _LONGEST_MONTH + _A_DAY,
        )
    return duration, duration.fixed, duration.fixed


def _converter(layout: Layout, name: str) -> _Convert | None:
    """Give what reduces a fact as a `Bucketer` does."""
    kind = layout.facts[name].type
    if kind is FactType.AGE:
        return partial(_bucket, tuple(_edges(duration) for duration in layout.ages[name]))
    if kind is FactType.LOCAL_TIME:
        points = layout.clocks[name]
        return lambda value, _: frozenset(bisect_right(points, minute) for minute in value) or None
    if kind in (FactType.SET, FactType.WEEKDAY):
        return lambda value, _: frozenset(value) or None
    if kind in COUNTED:
        numbers = layout.numbers[name]
        return lambda value, _: bisect_right(numbers, value)
    return None


def _bucket(edges: Sequence[tuple[Duration, timedelta, timedelta]], value: Any, now: datetime) -> int:
    """Reduce an age: an instant on the wire, or whole years (what is kept of a birthday)."""
    anchor = datetime.fromisoformat(value) if isinstance(value, str) else minus(now, Duration(value, "year"))
    old = now - anchor
    bucket = 0
    for place, (duration, below, beyond) in enumerate(edges):
        if old >= beyond or (old >= below and cutoff(duration, now).reached(anchor)):
            bucket |= 1 << place
    return bucket
