"""The clock of a request: when to acknowledge, when to answer, until when it may be made longer. Pure.

What the law says is data (`policies/rights/`), read into `Clock`; `read` applies it to what happened. Rules:
- A clock starts at the latest of the events that its regime names: receipt, the information that identifies
  the person, the fee (UK GDPR Art. 12A(2)); others start at receipt whatever is asked meanwhile (California).
- An extension is added to the period before it is counted, never chained on its end: one month and two more
  from 31 January end on 30 April. It is possible only while its notice can still be given.
- A pause takes its days, first and last included, out of the period and of the window for that notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from governance.errors import ConflictError
from governance.rights.periods import (
    HOUR,
    Period,
    end_of,
    last_day,
    local_day,
    next_working_day,
    without,
)

RECEIPT, IDENTITY, FEE, FEE_TERM, CLARIFICATION = "receipt", "identity", "fee", "fee_term", "clarification"
STARTS = (RECEIPT, IDENTITY, FEE, FEE_TERM)
ASKS = (IDENTITY, FEE, CLARIFICATION)
"""What a controller may ask of the person while a request runs."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a rule rests on: clauses, rows of facts, and whether its text was checked."""

    cites: tuple[str, ...]
    source: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True)
class Extension:
    """How much longer an answer may take. `by` None: until a date that the person is told.

    `times`: how often.
    """

    by: Period | None
    notice_within: Period
    times: int = 1


@dataclass(frozen=True, slots=True)
class Clock:
    """One regime's clock for some types of request, in force from `since` until before `until`.

    `types` empty: all. `fee_term`: how long the person may think about a fee, after which the period begins.
    `pauses`: the types of request that a wait for clarification stops; None: none. `on_working_day`: a period
    never ends on a day off. `statutory` False: the days are a promise, not the law's.
    """

    ground: Ground
    starts: tuple[str, ...]
    respond: Period
    types: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    first_day_counts: bool = False
    acknowledge: Period | None = None
    extension: Extension | None = None
    fee_term: Period | None = None
    pauses: tuple[str, ...] | None = None
    pause_ground: Ground | None = None
    on_working_day: Ground | None = None
    statutory: bool = True
    says: str | None = None

    def speaks_of(self, type_: str, day: date) -> bool:
        """Whether this is the clock of a request of this type that was received on this day."""
        return (
            (not self.types or type_ in self.types)
            and (self.since is None or self.since <= day)
            and (self.until is None or day < self.until)
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """What the person was asked for, when, and when the answer came (None: not yet)."""

    reason: str
    asked_at: datetime
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Extended:
    """An extension that was announced. `until`: the day that the person was told, where the law leaves it."""

    at: datetime
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What happened to a request that its clock depends on.

    `zone`: where days begin and end for it; `holidays_of`: whose public holidays count (None: none known).
    """

    type: str
    received_at: datetime
    zone: str
    holidays_of: str | None = None
    asks: tuple[Ask, ...] = ()
    extended: tuple[Extended, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a clock shows. Instants are the first moments at which it is too late.

    `due_on`: the last day on which an answer is in time. `extend_by`: by when an extension is announced.
    `extension_until`: the end if it is (further) extended, else the end as extended; None if it is open.
    `waits_for`: what stops the clock or holds back its start, now.
    """

    starts_on: date
    due_at: datetime
    due_on: date
    acknowledge_by: datetime | None
    extend_by: datetime | None
    extension_until: datetime | None
    times_extended: int
    waits_for: str | None

    @property
    def paused(self) -> bool:
        """Whether the clock does not run."""
        return self.waits_for is not None


def read(clock: Clock, course: Course, now: datetime) -> Reading:
    """Read a clock now. While something is awaited, it shows what would be due if it came today."""
    start, waits_for = _start(clock, course, now)
    first = local_day(start, course.zone)
    uncounted = _uncounted(clock, course, now)
    if waits_for is None and any(
        _stops(clock, course, ask) and ask.answered_at is None for ask in course.asks
    ):
        waits_for = CLARIFICATION
    due_on, due_at = _due(clock, course, start, uncounted, course.extended)
    extension = clock.extension
    received = local_day(course.received_at, course.zone)
    until: datetime | None = due_at if course.extended else None
    extend_by = None
    if extension is not None and len(course.extended) < extension.times:
        if course.extended:
            extend_by = due_at
        else:
            extend_by = _over(clock, course, first, extension.notice_within, uncounted)
        if extension.by is not None:
            more = (*course.extended, Extended(now))
            until = _due(clock, course, start, uncounted, more)[1]
    return Reading(
        starts_on=first,
        due_at=due_at,
        due_on=due_on,
        acknowledge_by=None
        if clock.acknowledge is None
        else _over(clock, course, received, clock.acknowledge, frozenset()),
        extend_by=extend_by,
        extension_until=until,
        times_extended=len(course.extended),
        waits_for=waits_for,
    )


def is_over(reading: Reading, now: datetime) -> bool:
    """Whether an answer would be late."""
    return not reading.paused and now >= reading.due_at


def check_extension(clock: Clock, reading: Reading, now: datetime, until: date | None) -> None:
    """Refuse an extension that the law does not give; ConflictError names the rule in the way."""
    extension = clock.extension
    if extension is None:
        raise ConflictError(
            "This law gives no extension; answer by the day it is due.", reason="no-extension"
        )
    if reading.extend_by is None:
        raise ConflictError(
            "This request was extended as often as the law allows.", reason="already-extended"
        )
    if now >= reading.extend_by:
        raise ConflictError(
            "The window for announcing an extension is over; answer as soon as possible.", reason="too-late"
        )
    if (extension.by is None) != (until is not None):
        raise ConflictError(
            "Name the day that the person is told (`until`)."
            if extension.by is None
            else "The law says how long an extension is; leave `until` out.",
            reason="until",
        )
    if until is not None and until <= reading.due_on:
        raise ConflictError("An extension ends after the day that is due now.", reason="until")


def check_ask(clock: Clock, type_: str, reason: str) -> None:
    """Refuse to stop a clock for a reason that this law does not know; ConflictError `no-pause`."""
    if reason == CLARIFICATION:
        known = clock.pauses is not None and type_ in clock.pauses
    else:
        known = reason in clock.starts or (reason == FEE and FEE_TERM in clock.starts)
    if not known:
        raise ConflictError(
            "This law does not stop or hold back the clock for that; it goes on running.", reason="no-pause"
        )


def _start(clock: Clock, course: Course, now: datetime) -> tuple[datetime, str | None]:
    """The latest of the events that the clock waits for, and what is still awaited."""
    start, waits_for = course.received_at, None
    for ask in course.asks:
        if ask.reason in (IDENTITY, FEE) and ask.reason in clock.starts:
            if ask.answered_at is None:
                waits_for = ask.reason
            start = max(start, ask.answered_at or now)
        elif ask.reason == FEE and FEE_TERM in clock.starts and clock.fee_term is not None:
            asked = local_day(ask.asked_at, course.zone)
            start = max(
                start, end_of(last_day(asked, clock.fee_term), course.zone) - timedelta(microseconds=1)
            )
            if ask.answered_at is None and now <= start:
                waits_for = FEE
    return start, waits_for


def _stops(clock: Clock, course: Course, ask: Ask) -> bool:
    return ask.reason == CLARIFICATION and clock.pauses is not None and course.type in clock.pauses


def _uncounted(clock: Clock, course: Course, now: datetime) -> frozenset[date]:
    """The days that do not count: from that of each question to that of its answer, both included."""
    days: set[date] = set()
    for ask in course.asks:
        if _stops(clock, course, ask):
            day = local_day(ask.asked_at, course.zone)
            last = local_day(ask.answered_at or max(now, ask.asked_at), course.zone)
            while day <= last:
                days.add(day)
                day += timedelta(days=1)
    return frozenset(days)


def _due(
    clock: Clock,
    course: Course,
    start: datetime,
    uncounted: frozenset[date],
    extended: Sequence[Extended],
) -> tuple[date, datetime]:
    told = [each.until for each in extended if each.until is not None]
    if told:
        return max(told), end_of(max(told), course.zone)
    by = None if clock.extension is None else clock.extension.by
    times = len(extended) if by is not None else 0
    if clock.respond.unit == HOUR:
        more = 0 if by is None else by.n * times
        at = start + timedelta(hours=clock.respond.n + more)
        return local_day(at, course.zone), at
    first = local_day(start, course.zone)
    if by is None or not times:
        day = _last(clock, course, first, clock.respond, uncounted)
    elif by.unit == clock.respond.unit:
        whole = Period(clock.respond.n + by.n * times, by.unit)
        day = _last(clock, course, first, whole, uncounted)
    else:
        day = _last(clock, course, first, clock.respond, uncounted)
        day = last_day(day, Period(by.n * times, by.unit), holidays_of=course.holidays_of)
    return day, end_of(day, course.zone)


def _over(clock: Clock, course: Course, first: date, period: Period, uncounted: frozenset[date]) -> datetime:
    return end_of(_last(clock, course, first, period, uncounted), course.zone)


def _last(clock: Clock, course: Course, first: date, period: Period, uncounted: frozenset[date]) -> date:
    day = last_day(first, period, first_day_counts=clock.first_day_counts, holidays_of=course.holidays_of)
    day = without(day, first, uncounted)
    return day if clock.on_working_day is None else next_working_day(day, course.holidays_of)
