"""What a run counts: by rule, with samples, and what falls due in which month. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from governance.policy.principles import DELETE, KEEP
from governance.retention.scales import HOLD, IN_ERASURE, Finding

SAMPLES = 10
"""Ids shown for each rule."""

UNKNOWN = "unknown"


@dataclass(slots=True)
class Tally:
    """Counts of a run so far; `document` and `read` bring it through the database."""

    total: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: dict[tuple[str, str], list[dict[str, str]]] = field(default_factory=dict)
    forecast: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, found: Finding, name: str | None = None) -> None:
        """Count a record; `name` is shown in place of its id."""
        self.total += 1
        key = (found.rule, found.disposition)
        self.counts[key] += 1
        if found.disposition != KEEP:
            shown = self.samples.setdefault(key, [])
            if len(shown) < SAMPLES:
                shown.append({"system": found.system, "record": name or found.record_id})
        if found.until is not None:
            self.forecast[_month(found.until), found.data_class, found.country or UNKNOWN] += 1

    def of(self, disposition: str) -> int:
        """How many records got this disposition."""
        return sum(count for (_, said), count in self.counts.items() if said == disposition)

    @property
    def deletions(self) -> int:
        """How many records are to be deleted."""
        return self.of(DELETE)

    @property
    def held(self) -> int:
        """How many records a hold or an erasure under way keeps from everything else."""
        return sum(count for (rule, _), count in self.counts.items() if rule in (HOLD, IN_ERASURE))

    def document(self) -> dict[str, Any]:
        """The counts as they are kept."""
        return {
            "total": self.total,
            "counts": [[*key, count] for key, count in sorted(self.counts.items())],
            "samples": [[*key, shown] for key, shown in sorted(self.samples.items())],
            "forecast": [[*key, count] for key, count in sorted(self.forecast.items())],
        }

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Tally":
        """Read counts back."""
        return cls(
            kept["total"],
            Counter({(rule, said): count for rule, said, count in kept["counts"]}),
            {(rule, said): shown for rule, said, shown in kept["samples"]},
            Counter({(month, each, place): count for month, each, place, count in kept["forecast"]}),
        )


@lru_cache(maxsize=10_000)
def _month(day: date) -> str:
    return day.isoformat()[:7]


def difference(before: Tally | None, now: Tally) -> list[dict[str, Any]]:
    """What another run counted, rule by rule, where it differs; everything if there was none."""
    then: Mapping[tuple[str, str], int] = {} if before is None else before.counts
    return [
        {
            "rule": rule,
            "disposition": said,
            "before": then.get((rule, said), 0),
            "now": now.counts[rule, said],
        }
        for rule, said in sorted({*then, *now.counts})
        if then.get((rule, said), 0) != now.counts[rule, said]
    ]


def months(forecast: Mapping[tuple[str, str, str], int], first: str, count: int) -> list[dict[str, Any]]:
    """What falls due month by month from `first` (YYYY-MM) on; what is due already counts in the first."""
    year, month = (int(part) for part in first.split("-"))
    wanted = [f"{year + (month - 1 + n) // 12}-{(month - 1 + n) % 12 + 1:02}" for n in range(count)]
    by_class: dict[str, Counter[str]] = {name: Counter() for name in wanted}
    by_country: dict[str, Counter[str]] = {name: Counter() for name in wanted}
    for (due, data_class, country), people in forecast.items():
        at = max(due, first)
        if at in by_class:
            by_class[at][data_class] += people
            by_country[at][country] += people
    return [
        {
            "month": name,
            "records": sum(by_class[name].values()),
            "by_data_class": dict(sorted(by_class[name].items())),
            "by_country": dict(sorted(by_country[name].items())),
        }
        for name in wanted
    ]
