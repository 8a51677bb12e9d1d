"""Reducing facts to what rules can tell apart, so that many people share one fact vector."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from governance.policy.codegen import COUNTED, Layout
from governance.policy.durations import Cutoff, cutoff
from governance.policy.model import FactType

Vector: TypeAlias = tuple[Any, ...]
COVERED = "place.covered"


class Bucketer:
    """Reduces facts at one instant; make one for a stream of people and reuse it.

    `names` is the order of the vector (`epoch` comes last). Values of enums, booleans, countries, regions and
    texts stand in it as they are; an age becomes a number whose bit i says that the i-th threshold of the fact is
    reached; a number becomes the count of thresholds it has reached; local times become the stretches of the day
    in which a candidate lies; sets and weekdays become frozensets. None means absent.
    """

    __slots__ = ("_covered", "_cutoffs", "_layout", "_steps", "epoch", "names")

    def __init__(self, layout: Layout, now: datetime, covered: Callable[[str, str], bool]) -> None:
        self._layout = layout
        self._covered = covered
        self.names = layout.names
        self.epoch = layout.epoch(now)
        self._cutoffs: dict[str, tuple[Cutoff, ...]] = {
            name: tuple(cutoff(duration, now) for duration in durations)
            for name, durations in layout.ages.items()
        }
        self._steps: dict[str, Callable[[str, Any], Any]] = {}
        for name in layout.names:
            step = self._step(layout.facts[name].type)
            if step is not None:
                self._steps[name] = step

    def _step(self, kind: FactType) -> Callable[[str, Any], Any] | None:
        """Give the reduction of a type, None if its values stand as they are."""
        if kind is FactType.AGE:
            return self.bucket_age
        if kind in COUNTED:
            return self.bucket_number
        if kind is FactType.LOCAL_TIME:
            return self.bucket_times
        if kind in (FactType.SET, FactType.WEEKDAY):
            return lambda _, value: frozenset(value) or None if value is not None else None
        return None

    def bucket_age(self, fact: str, anchor: datetime | None) -> int | None:
        """Reduce the instant (aware) at which something happened; None stays None."""
        if anchor is None:
            return None
        bucket = 0
        for place, edge in enumerate(self._cutoffs[fact]):
            if edge.reached(anchor):
                bucket |= 1 << place
        return bucket

    def bucket_number(self, fact: str, value: int | None) -> int | None:
        """Reduce an integer or a count."""
        return None if value is None else bisect_right(self._layout.numbers[fact], value)

    def bucket_times(self, fact: str, minutes: tuple[int, ...] | None) -> frozenset[int] | None:
        """Reduce candidate minutes of the day (0 to 1439); no candidate is the same as absent."""
        if not minutes:
            return None
        points = self._layout.clocks[fact]
        return frozenset(bisect_right(points, minute) for minute in minutes)

    def covered(self, country: str | None, channel: str | None, contact_country: str | None) -> bool:
        """Compute `place.covered`: the person's country and the contact point's, if known, have a full answer."""
        if country is None or channel is None or not self._covered(country, channel):
            return False
        return contact_country is None or self._covered(contact_country, channel)

    def vector(self, facts: Mapping[str, Any]) -> Vector:
        """Reduce a mapping of facts; `place.covered` is computed unless given."""
        steps = self._steps
        values: list[Any] = []
        for name in self.names:
            value = facts.get(name)
            if value is None:
                if name == COVERED and name not in facts:
                    value = self.covered(
                        facts.get("person.country"),
                        facts.get("message.channel"),
                        facts.get("contact_point.country"),
                    )
            elif name in steps:
                value = steps[name](name, value)
            values.append(value)
        values.append(self.epoch)
        return tuple(values)
