"""Reducing facts to what rules can tell apart, so that many people share one fact vector."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from governance.policy.codegen import COUNTED, COVERED, Layout
from governance.policy.durations import Cutoff, cutoff
from governance.policy.model import FactType

Vector: TypeAlias = tuple[Any, ...]


class Bucketer:
    """Reduces facts at one instant; make one for a stream of people and reuse it.

    `names` is the order of the vector (`epoch` comes last). Values of enums, booleans, countries, regions
    and texts stand in it as they are; an age becomes a number whose bit i says that the i-th threshold of
    the fact is reached; a number becomes the count of thresholds it has reached; local times become the
    stretches of the day in which a candidate lies; sets and weekdays become frozensets. None means absent.
    """

    __slots__ = ("_covered", "_cutoffs", "_layout", "_now", "epoch", "names")

    def __init__(self, layout: Layout, now: datetime, covered: Callable[[str, str], bool]) -> None:
        self._layout = layout
        self._now = now
        self._covered = covered
        self.names = layout.names
        self.epoch = layout.epoch(now)
        # Filled as facts turn up: most questions have few ages, and a stream computes each cutoff once.
        self._cutoffs: dict[str, tuple[Cutoff, ...]] = {}

    def bucket_age(self, fact: str, anchor: datetime | None) -> int | None:
        """Reduce the instant (aware) at which something happened; None stays None."""
        if anchor is None:
            return None
        edges = self._cutoffs.get(fact)
        if edges is None:
            edges = tuple(cutoff(duration, self._now) for duration in self._layout.ages[fact])
            self._cutoffs[fact] = edges
        bucket = 0
        for place, edge in enumerate(edges):
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
        """Compute `place.covered`: the person's country and the point's, if known, have a full answer."""
        if country is None or channel is None or not self._covered(country, channel):
            return False
        return contact_country is None or self._covered(contact_country, channel)

    def reduced(self, fact: str, value: Any) -> Any:
        """Reduce a value that is present, by the type of its fact."""
        kind = self._layout.facts[fact].type
        if kind is FactType.AGE:
            return self.bucket_age(fact, value)
        if kind is FactType.LOCAL_TIME:
            return self.bucket_times(fact, value)
        if kind in COUNTED:
            return self.bucket_number(fact, value)
        return frozenset(value) or None

    def vector(self, facts: Mapping[str, Any]) -> Vector:
        """Reduce a mapping of facts; `place.covered` is computed unless given."""
        values: list[Any] = [facts.get(name) for name in self.names]
        for place, name in self._layout.reduced:
            if values[place] is not None:
                values[place] = self.reduced(name, values[place])
        covered = self._layout.covered
        if covered is not None and values[covered] is None and COVERED not in facts:
            values[covered] = self.covered(
                facts.get("person.country"), facts.get("message.channel"), facts.get("contact_point.country")
            )
        values.append(self.epoch)
        return tuple(values)
