"""Slots, claims and their times. Pure.

A slot is one thing to be done: a kind (`seal-checkpoint`) and a name that is unique within it, for scheduled
work the instant at which it was due. Whoever does it holds a lease in time and a fence, a number that grows
with every claim: what a worker writes who overslept its lease is refused.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LEASE = timedelta(seconds=60)
"""How long a claim holds without a sign of life."""

_FIRST_REST = timedelta(seconds=5)
_LONGEST_REST = timedelta(minutes=5)

WAITING = "waiting"
DONE = "done"
FAILED = "failed"
"""The states of a slot. A slot that somebody works on is `waiting` with a lease; `failed` is given up."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do one slot until `until`; `fence` tells this turn from every other.

    `attempt` counts from 1. `stands_for`: how many scheduled slots this one stands for, 1 unless some were
    missed. `due_at`: when it should have been done.
    """

    kind: str
    slot: str
    fence: int
    owner: str
    due_at: datetime
    until: datetime
    attempt: int
    stands_for: int


@dataclass(frozen=True, slots=True)
class Offered:
    """What an offer came to.

    `queued`: new slots. `missed`: slots that nobody offered in time; another one stands for them.
    `overlapped`: slots that came while an earlier one still waited, which stands for them.
    """

    queued: int = 0
    missed: int = 0
    overlapped: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a kind of work is getting on; counters count since the beginning.

    `backlog`: slots that are due and that nobody works on, one in its rest after a failure included. `lag`:
    how long the oldest of them, or the next one if no scheduler offered it, has been due. `running`: slots
    under a lease; `running_since` the oldest. `last_problem`: the kind of error that the last attempt ended
    with, if it did. `next_at`: when the next slot is due; None for work that follows no timetable.
    """

    kind: str
    every_seconds: int | None
    next_at: datetime | None
    last_started_at: datetime | None
    last_ended_at: datetime | None
    last_done: int | None
    last_problem: str | None
    runs: int
    failures: int
    given_up: int
    missed: int
    overlapped: int
    backlog: int
    running: int
    running_since: datetime | None
    lag: timedelta

    @classmethod
    def never(cls, kind: str) -> "Standing":
        """Of work that nobody ever offered."""
        return cls(kind, None, None, None, None, None, None, 0, 0, 0, 0, 0, 0, 0, None, timedelta(0))


@dataclass(frozen=True, slots=True)
class Miss:
    """A run that stood for slots that were missed or overlapped: `stands_for` of them, up to `due_at`."""

    kind: str
    slot: str
    due_at: datetime
    started_at: datetime | None
    stands_for: int


def slot_at(now: datetime, every: timedelta) -> datetime:
    """The newest instant of a timetable not after `now`: whole multiples of `every` since 1970, UTC."""
    return _EPOCH + (now - _EPOCH) // every * every


def slots_after(latest: datetime, newest: datetime, every: timedelta) -> int:
    """How many instants of the timetable lie after `latest`, up to `newest`, which is one of them."""
    return (newest - slot_at(latest, every)) // every


def rest(attempt: int) -> timedelta:
    """How long to leave work alone after so many failures: 5 s, doubled each time, 5 minutes at most."""
    return min(_FIRST_REST * (1 << min(attempt - 1, 16)), _LONGEST_REST)
