"""When a refused message would be permitted, as far as today's records tell. Pure.

Between two neighbouring instants of the list no rule can answer differently, so it is enough to ask at each.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from governance.communications.model import ACTION
from governance.communications.situations import ADULT_YEARS, Situation, World
from governance.policy.compiled import CompiledPolicy
from governance.policy.durations import Duration, plus

HORIZON = timedelta(days=400)


def next_eligible_at(
    policy: CompiledPolicy,
    situation: Situation,
    worlds: Sequence[World],
    now: datetime,
    permitted_at: Callable[[datetime], bool],
) -> datetime | None:
    """The smallest instant after `now` and within 400 days at which `permitted_at`; None if there is none."""
    until = now + HORIZON
    instants = {each for each in _instants(policy, situation, worlds) if now < each <= until}
    return next((each for each in sorted(instants) if permitted_at(each)), None)


def _instants(policy: CompiledPolicy, situation: Situation, worlds: Sequence[World]) -> Iterator[datetime]:
    """Every instant at which a rule's answer about this person can change."""
    yield from policy.effective_dates(ACTION)
    for fact, durations in policy.thresholds(ACTION).items():
        # The same anchor often stands in every world; the set of instants takes care of it.
        for world in worlds:
            anchor = world.facts.get(fact)
            if isinstance(anchor, datetime):
                for duration in durations:
                    if isinstance(duration, Duration):
                        yield plus(anchor, duration)
    for cell in situation.cells:
        if cell.pos_expires_at is not None:
            yield cell.pos_expires_at
    if situation.birth_month is not None:
        yield _of_age(situation.birth_month)


def _of_age(birth_month: str) -> datetime:
    """The first instant of the month after the eighteenth birthday."""
    year, month = int(birth_month[:4]) + ADULT_YEARS, int(birth_month[5:7])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
