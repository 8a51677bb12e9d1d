"""The principles of retention: of all rules that speak about a thing, which one wins, and until when. Pure.

1. A legal hold beats everything (the caller knows of holds).
2. Keeping beats deleting; of the duties to keep, the longest wins.
3. Of the rules that delete, the more specific wins; between equals, the shorter.
4. Where nothing speaks, nothing is deleted: a person looks at it. On a demand for erasure only duties to keep
   stand in the way: a policy of deleting later is no reason to keep.

Every rule that speaks is listed with its day and, unless it won, why it lost. A day is the last one of
keeping: deletion is due from the day after.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from governance.calendar import end_of_year
from governance.policy.durations import plus_days
from governance.policy.schedules import (
    FINANCIAL_YEAR,
    RUNNING,
    WHOLE_YEAR,
    Anchor,
    Circumstances,
    Demand,
    Running,
    ScheduleRule,
    Then,
)

DELETE, KEEP, REVIEW = "delete", "keep", "review"

OPEN: Running = RUNNING
"""In place of a last day: nobody can say it yet."""

Counted = tuple[ScheduleRule, date | Running | None]
"""A rule and the last day that it counts to."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A rule in the balance: its last day (OPEN: not known yet), and why it lost; '' for the winner.

    Reasons: `over`, `shorter-duty`, `keeping-beats-deleting`, `less-specific`, `longer-deletion`,
    `deletion-is-later`, `clock-not-started`, `never-happened`, `state-absent`, `on-request`, `equal`.
    """

    rule: ScheduleRule
    until: date | Running | None
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the schedule comes to. `until` is the last day of keeping; OPEN if nobody can say it yet.

    `disposition` is delete, keep or review; `winner` is None where no rule speaks. `phase` is active,
    intermediate_archive or due.
    """

    disposition: str
    until: date | Running | None
    winner: ScheduleRule | None
    phase: str
    weighed: tuple[Weighed, ...]


def speaks(rule: ScheduleRule, asked: Circumstances, today: date) -> bool:
    """Whether a rule is about a thing, whatever its clocks say."""
    since, until = rule.effective_from, rule.effective_until
    return (
        (not rule.data_classes or asked.data_class in rule.data_classes)
        and (not rule.purposes or asked.purpose in rule.purposes)
        and (not rule.stages or asked.stage in rule.stages)
        and (not rule.systems or asked.system in rule.systems)
        and (not rule.places or not rule.places.isdisjoint(asked.places))
        and (since is None or today >= since)
        and (until is None or today < until)
    )


def last_day(rule: ScheduleRule, anchor: Anchor, asked: Circumstances) -> date | Running | None:
    """The last day that a rule counts to; OPEN before its clock started, None where it has nothing to say.

    The day of the event is not counted (Regulation (EEC, Euratom) 1182/71 Art. 3(1)), and a month is a month.
    """
    if rule.during is not None:
        return OPEN if rule.during == "always" or rule.during in asked.states else None
    if anchor is None or anchor == RUNNING or rule.period is None:
        return anchor if anchor is None else OPEN
    start = carried(anchor, rule.rounding, asked.financial_year_end)
    return plus_days(start, rule.period)


def carried(day: date, rounding: str | None, financial_year_end: tuple[int, int]) -> date:
    """The day from which a period is counted: itself, or the end of its calendar or financial year."""
    if rounding == WHOLE_YEAR:
        return end_of_year(day)
    if rounding == FINANCIAL_YEAR:
        return end_of_year(day, *financial_year_end)
    if rounding is not None:
        month, _, last = rounding.partition("-")
        return end_of_year(day, int(month), int(last))
    return day


def weigh(
    rules: Iterable[ScheduleRule], asked: Circumstances, today: date, *, on_request: bool = False
) -> Outcome:
    """Say what becomes of a thing today, and who decided that."""
    counted = [
        (rule, last_day(rule, asked.clocks.get(rule.clock) if rule.clock else None, asked))
        for rule in rules
        if speaks(rule, asked, today)
    ]
    return settle(counted, today, on_request=on_request)


def settle(counted: Sequence[Counted], today: date, *, on_request: bool = False) -> Outcome:
    """Decide between rules whose last days are known, and say why each of the others lost."""
    decided = decide(counted, today, on_request=on_request)
    winner = None if decided.winner is None else decided.winner[0]
    phase = "active"
    if decided.disposition != KEEP:
        phase = "due"
    elif decided.chosen is not None and not _in_force(decided.chosen[1], today):
        phase = "intermediate_archive"
    lines = tuple(
        _line(each, winner, decided.duty, decided.chosen, today, on_request=on_request) for each in counted
    )
    return Outcome(decided.disposition, decided.until, winner, phase, lines)


class Decided(NamedTuple):
    """What the principles come to: the winner, the duty that keeps longest, the rule chosen to delete."""

    disposition: str
    winner: Counted | None
    duty: Counted | None
    chosen: Counted | None

    @property
    def until(self) -> date | Running | None:
        """The winner's last day."""
        return None if self.winner is None else self.winner[1]


def decide(counted: Sequence[Counted], today: date, *, on_request: bool = False) -> Decided:
    """Decide between rules whose last days are known."""
    keeps = [each for each in counted if each[1] is not None and each[0].demand is Demand.KEEP]
    chosen = None
    if not on_request:
        chosen = _chosen(
            [each for each in counted if each[1] is not None and each[0].demand is Demand.DELETE]
        )
    longest = max(keeps, key=_duty_rank, default=None)
    duty = longest if longest is not None and _in_force(longest[1], today) else None
    if duty is not None:
        later = chosen is not None and duty[1] != OPEN and _after(chosen[1], duty[1])
        return Decided(KEEP, chosen if later else duty, duty, chosen)
    if on_request:
        return Decided(DELETE, None, None, None)
    if chosen is not None:
        over = not _in_force(chosen[1], today)
        return Decided(str(chosen[0].then or Then.DELETE) if over else KEEP, chosen, None, chosen)
    if longest is not None and longest[0].then is not None:
        return Decided(str(longest[0].then), longest, None, None)
    return Decided(REVIEW, None, None, None)


def _line(
    each: Counted,
    winner: ScheduleRule | None,
    duty: Counted | None,
    chosen: Counted | None,
    today: date,
    *,
    on_request: bool,
) -> Weighed:
    """Why one rule won or lost."""
    rule, until = each
    if rule is winner:
        return Weighed(rule, until)
    if until is None:
        lost = "never-happened" if rule.during is None else "state-absent"
    elif rule.demand is Demand.KEEP:
        if not _in_force(until, today):
            lost = "over"
        else:
            lost = "shorter-duty" if duty is not None and duty[0] is not rule else "deletion-is-later"
    elif on_request:
        lost = "on-request"
    elif chosen is not None and chosen[0] is not rule:
        if rule.specificity < chosen[0].specificity:
            lost = "less-specific"
        elif until == OPEN:
            lost = "clock-not-started"
        else:
            lost = "equal" if until == chosen[1] else "longer-deletion"
    else:
        lost = "keeping-beats-deleting"
    return Weighed(rule, until, lost)


def _chosen(
    deletes: Sequence[Counted],
) -> Counted | None:
    """The rule that deletes: the most specific; between equals the one that deletes first."""
    if not deletes:
        return None
    return min(deletes, key=lambda each: (-each[0].specificity, _ordinal(each[1]), each[0].id))


def _duty_rank(each: Counted) -> tuple[int, bool, bool, int, str]:
    """Order duties: the later, then what lasts now, then the binding, then the more specific."""
    rule, until = each
    return (_ordinal(until), rule.during is not None, rule.binding, rule.specificity, rule.id)


def _ordinal(until: date | Running | None) -> int:
    return until.toordinal() if isinstance(until, date) else date.max.toordinal() + 1


def _after(one: date | Running | None, other: date | Running | None) -> bool:
    return _ordinal(one) > _ordinal(other)


def _in_force(until: date | Running | None, today: date) -> bool:
    return not isinstance(until, date) or until >= today
