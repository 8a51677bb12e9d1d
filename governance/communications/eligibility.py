"""When a refused message would be permitted, as far as today's records tell. Pure.

First come the instants at which anything but the clock on the wall can change an answer: ages, counts, dates
on which rules begin or end. Between two of them only local time moves, and only where every refusal speaks of
local time is it worth asking at each edge of a window; edges with equal facts are asked once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from governance.communications.local_time import CLOCK, LOCAL, Whereabouts, edges, local_facts
from governance.communications.model import ACTION
from governance.communications.situations import CALL_WINDOWS, Situation, World
from governance.decisions.model import Verdict
from governance.policy.compiled import CompiledPolicy
from governance.policy.durations import Duration, plus
from governance.policy.model import Effect

HORIZON = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Outlook:
    """The answer at an instant: is it permitted, and if not, could another hour change that?"""

    permitted: bool
    waits_for_the_clock: bool = False


def next_eligible_at(
    policy: CompiledPolicy,
    situation: Situation,
    worlds: Sequence[World],
    now: datetime,
    outlook: Callable[[datetime], Outlook],
    others: Iterable[datetime] = (),
) -> datetime | None:
    """The smallest instant after `now` and within 400 days at which `outlook` permits; None if there is none.

    `others` are instants at which anything else changes the answer.
    """
    until = now + HORIZON
    known = {*_instants(policy, situation, worlds), *others}
    turns = sorted(each for each in known if now < each <= until)
    places = tuple({world.place: None for world in worlds})
    for since, end in zip([now, *turns], [*turns, until], strict=True):
        there = outlook(since)
        if there.permitted and since > now:
            return since
        if there.waits_for_the_clock and since < end:
            found = _within(policy, places, since, end, outlook)
            if found is not None:
                return found
    return None


def _within(
    policy: CompiledPolicy,
    places: Sequence[Whereabouts],
    since: datetime,
    until: datetime,
    outlook: Callable[[datetime], Outlook],
) -> datetime | None:
    """The first permitted edge of local time in (since, until); nothing else changes there."""
    minutes = [each for each in policy.thresholds(ACTION).get(CLOCK, ()) if isinstance(each, int)]
    bucketer = policy.bucketer(ACTION, since)
    refused: set[tuple[Any, ...]] = set()
    seen = {since}
    for instant in _merged(places, since, until, minutes):
        if instant in seen:
            continue
        seen.add(instant)
        said = []
        for place in places:
            for name, value in local_facts(place, instant).items():
                # The bucketer keeps of each fact what rules can tell apart.
                known = name in bucketer.names and value is not None and not isinstance(value, bool)
                said.append(bucketer.reduced(name, value) if known else value)
        key = tuple(said)
        if key in refused:
            continue
        if outlook(instant).permitted:
            return instant
        refused.add(key)
    return None


def _merged(
    places: Sequence[Whereabouts], since: datetime, until: datetime, minutes: Sequence[int]
) -> Iterator[datetime]:
    if len(places) == 1:
        yield from edges(places[0], since, until, minutes)
    else:
        # Several contact points in several countries of somebody whose own is not known: rare, and few days.
        yield from sorted({each for place in places for each in edges(place, since, until, minutes)})


def outlook_of(policy: CompiledPolicy, verdict: Verdict) -> Outlook:
    """What an answer says of later ones: does every refusal speak of local time?"""
    uses = policy.program(ACTION).uses
    waits = all(
        reason.effect == Effect.FORBID and not LOCAL.isdisjoint(uses.get(reason.rule, ()))
        for reason in verdict.reasons
    )
    return Outlook(verdict.allowed, waits and not verdict.allowed)


def _instants(policy: CompiledPolicy, situation: Situation, worlds: Sequence[World]) -> Iterator[datetime]:
    """Every instant at which a rule's answer about this person can change, local time aside."""
    yield from policy.effective_dates(ACTION)
    for fact, durations in policy.thresholds(ACTION).items():
        # The same anchor often stands in every world; the set of instants takes care of it.
        for world in worlds:
            anchor = world.facts.get(fact)
            if isinstance(anchor, datetime):
                for duration in durations:
                    if isinstance(duration, Duration):
                        yield plus(anchor, duration)
    for call in situation.calls or ():
        for window in CALL_WINDOWS.values():
            yield call + window
    for cell in situation.cells:
        if cell.pos_expires_at is not None:
            yield cell.pos_expires_at
