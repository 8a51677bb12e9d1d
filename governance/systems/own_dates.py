"""How long data are kept that tell their own date: a row by its column, a record by its id. Pure.

What a plan says of a class is counted from the newest data that there may be; older ones need not wait
for that.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from governance.policy.durations import parse_duration, plus_days
from governance.policy.principles import carried


@dataclass(frozen=True, slots=True)
class Term:
    """A period (`8 years`) from the day on which data came about, or (`MM-DD`) from the end of its year."""

    period: str
    year_ends: str | None = None

    def until(self, start: date) -> date:
        """The first day on which it keeps no more what began on this day."""
        period = parse_duration(self.period)
        assert period is not None
        return plus_days(carried(start, self.year_ends, (12, 31)), period) + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwnDates:
    """`terms` run from the data's own date; before `least` nothing goes, whatever that is.

    `records`: of registered records the first day on which nothing keeps them (None: none does now), and why.
    """

    terms: tuple[Term, ...] = ()
    least: date | None = None
    records: Mapping[str, tuple[date | None, str]] = field(default_factory=dict)

    def until(self, start: date) -> date | None:
        """The first day on which nothing keeps what began on this day; None if nothing does."""
        days = [each.until(start) for each in self.terms]
        return max([*days, *(() if self.least is None else (self.least,))], default=None)

    def text(self) -> str:
        """What is stored."""
        return json.dumps(
            {
                "terms": [[each.period, each.year_ends] for each in self.terms],
                "least": None if self.least is None else self.least.isoformat(),
                "records": {
                    name: [None if day is None else day.isoformat(), because]
                    for name, (day, because) in self.records.items()
                },
            }
        )

    @classmethod
    def read(cls, text: str | None) -> "OwnDates | None":
        """Read what `text` gave."""
        if text is None:
            return None
        said = json.loads(text)
        return cls(
            tuple(Term(*each) for each in said["terms"]),
            _day(said["least"]),
            {name: (_day(day), because) for name, (day, because) in said["records"].items()},
        )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
