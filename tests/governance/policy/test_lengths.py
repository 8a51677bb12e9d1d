"""Which of two durations is never the longer one: held against the calendar of another library."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from dateutil.relativedelta import relativedelta

from governance.policy.durations import Duration
from governance.policy.lengths import days_of_months, never_longer

DURATIONS = [
    *(Duration(n, "day") for n in (1, 27, 28, 29, 30, 31, 32, 59, 60, 62, 365, 366, 730, 731)),
    *(Duration(n, "month") for n in (1, 2, 6, 12, 13, 24)),
    *(Duration(n, "year") for n in (1, 2)),
    *(Duration(n, "week") for n in (4, 5)),
    *(Duration(n, "hour") for n in (24, 671, 672, 744)),
]
# Every day of five years with a leap year among them.
ANCHORS = [datetime(2023, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(5 * 365 + 1)]


def reached_at(duration: Duration) -> list[datetime]:
    return [anchor + relativedelta(**{f"{duration.unit}s": duration.n}) for anchor in ANCHORS]  # type: ignore[arg-type]


def test_what_is_never_longer_is_so_from_every_day_and_what_is_not_has_a_day_that_shows_it() -> None:
    ends = {duration: reached_at(duration) for duration in DURATIONS}
    for one, other in product(DURATIONS, DURATIONS):
        so = all(first <= second for first, second in zip(ends[one], ends[other], strict=True))
        assert never_longer(one, other) == so, (str(one), str(other))


@pytest.mark.parametrize(
    ("months", "days"),
    [(1, (28, 31)), (2, (59, 62)), (3, (89, 92)), (12, (365, 366)), (2400, (73048, 73049))],
)
def test_days_of_months(months: int, days: tuple[int, int]) -> None:
    assert days_of_months(months) == days
