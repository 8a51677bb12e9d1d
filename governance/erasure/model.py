"""An erasure as a saga: its states, its steps, and what they come to. Pure.

A person is frozen at the order, may be unfrozen inside the undo window, and is then erased step by step: one
step per connected system and one for our own rows. Steps stand alone: one that cannot go on stops no other,
except those of systems that hold the data it was derived from (`depends_on`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from governance.errors import InvalidError

OWN = "governance"
"""The step that erases our own rows; no connected system may take this id."""

UNDO_WINDOW = "undo_window"
IN_PROGRESS = "in_progress"
WAITING = "waiting"
COMPLETE = "complete"
PARTLY_COMPLETE = "partly_complete"
FAILED = "failed"
CANCELLED = "cancelled"
STATUSES = (UNDO_WINDOW, IN_PROGRESS, WAITING, COMPLETE, PARTLY_COMPLETE, FAILED, CANCELLED)
OPEN = frozenset({UNDO_WINDOW, IN_PROGRESS, WAITING, FAILED})
"""States in which the person stays frozen and the case is not closed."""

PENDING = "pending"
HELD = "held"
DONE = "done"
IS_HELD = "held"
"""The outcome of a data class that a legal hold covers."""

STEP_STATUSES = (PENDING, WAITING, HELD, DONE, FAILED)

RESTRICTED = "restricted"
"""The state of a person, in the words of the retention schedules, whose end lets an erasure go on."""

UNDO_HOURS = 24
MOST_UNDO_HOURS = 720
PROBE_AFTER = timedelta(days=7)
"""When every system is read a second time: late writes and replicas have settled by then."""

PROBE_REST = timedelta(hours=6)
"""How long a second look rests that a system did not answer, or that somebody has still to take."""

PROBE_OVERDUE = timedelta(days=14)
"""After how long without an answer an officer is told."""

LEASE = timedelta(minutes=5)
"""How long a worker may be silent on one step before another takes it."""

MOST_ATTEMPTS = 8
_FIRST_REST = timedelta(minutes=1)
_LONGEST_REST = timedelta(hours=6)

Before = Mapping[str, frozenset[str]]
"""For each system those that come first: all that is derived from what it holds, directly or not."""

_NONE: frozenset[str] = frozenset()
_REASON = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one data class in one system. `until`: the first day on which nothing keeps it.

    `during`: the state of the person that it is kept for, where a state and no day ends that. `rule`: the
    rule of a retention schedule that keeps it.
    """

    data_class: str
    outcome: str
    rows: int = 0
    because: str = ""
    until: date | None = None
    during: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What the second look at a system came to.

    `status`: `probed` | `waiting` | `unreachable` | `not_probed`, with the reason.
    """

    status: str
    because: str = ""


PROBED = "probed"
UNREACHABLE = "unreachable"
NOT_PROBED = "not_probed"


@dataclass(frozen=True, slots=True)
class Step:
    """One system's share. `batch`: its place in the order. `round`: each new plan is a new one.

    `plan` maps data classes to dispositions as `ErasurePlan.document` writes them; None until it is made.
    `kept`: classes that the plan leaves alone, with the reason. `left`: rows by table that stood after it.
    `probe`: what the second look saw, since its last round.
    """

    system: str
    batch: int
    status: str
    round: int
    attempts: int
    data_classes: tuple[str, ...]
    plan: Mapping[str, Mapping[str, str]] | None
    kept: tuple[Part, ...]
    parts: tuple[Part, ...]
    rows: int
    because: str
    next_at: datetime | None
    left: Mapping[str, int] | None
    done_at: datetime | None
    probe: Look | None = None

    @property
    def outcome(self) -> str | None:
        """The step in one word: erased | anonymised | kept_until | not_found | failed; None while it runs."""
        if self.status == FAILED:
            return "failed"
        if self.status != DONE:
            return None
        outcomes = {part.outcome for part in (*self.parts, *self.kept)}
        for each in ("failed", "kept_until", "anonymised", "erased"):
            if each in outcomes:
                return each
        return "not_found"

    @property
    def comes_back(self) -> date | None:
        """The first day on which something that was kept may be erased."""
        return min((part.until for part in (*self.parts, *self.kept) if part.until), default=None)

    @property
    def held(self) -> tuple[str, ...]:
        """The data classes that a legal hold covers."""
        return tuple(part.data_class for part in self.kept if part.outcome == IS_HELD)

    @property
    def undated(self) -> tuple[str, ...]:
        """The data classes that something keeps of which nobody can say yet when it ends."""
        every = (*self.parts, *self.kept)
        return tuple(
            part.data_class
            for part in every
            if part.outcome == "kept_until" and part.until is None and part.during != RESTRICTED
        )

    @property
    def restricted(self) -> tuple[str, ...]:
        """The data classes that were left alone only because processing was restricted."""
        return tuple(part.data_class for part in self.kept if part.during == RESTRICTED)


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's erasure. `scope`: data classes, or None for everything. `fence_at`: when it became final.

    What happened before the fence cannot bring the person back; what the person does after it starts afresh.
    `weighed_under`: digest of the policies by which its days were reckoned. `undated_since`: since when
    something is kept without a day.
    """

    erasure_id: str
    subject_ref: str
    reason: str
    scope: tuple[str, ...] | None
    request_id: str | None
    status: str
    ordered_by: str
    ordered_at: datetime
    undo_until: datetime
    fence_at: datetime | None
    completed_at: datetime | None
    next_at: datetime | None
    probe_at: datetime | None
    probed_at: datetime | None
    evidence_until: date | None
    evidence_shredded_at: datetime | None
    certificate: str | None
    weighed_under: str | None = None
    undated_since: datetime | None = None
    steps: tuple[Step, ...] = field(default=())

    @property
    def whole(self) -> bool:
        """Whether the person is erased altogether, not some data classes only."""
        return self.scope is None

    def covers(self, wanted: tuple[str, ...] | None) -> bool:
        """Whether it erases all of these data classes; None: everything."""
        return self.scope is None or (wanted is not None and set(wanted) <= set(self.scope))

    def with_more(self, wanted: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The scope that takes in its own and these data classes."""
        if self.scope is None or wanted is None:
            return None
        return tuple(dict.fromkeys([*self.scope, *wanted]))

    @property
    def awaits_lifting(self) -> bool:
        """Whether the end of a restriction is all that some of the data is kept for."""
        return any(step.restricted for step in self.steps)

    @property
    def awaits_date(self) -> bool:
        """Whether something is kept of which nobody can say yet when it goes."""
        return any(step.undated for step in self.steps)

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be done before the case can be closed."""
        return self.status in OPEN


def check_reason(reason: str) -> str:
    """Return the code of a reason (`rights_request`, `retention`); InvalidError for free text.

    It stands in the ledger, so it must not be able to hold personal data.
    """
    if len(reason) > 64 or not _REASON.fullmatch(reason):
        complaint = "A reason is a code such as rights_request: small letters, digits, hyphens, underscores."
        raise InvalidError(complaint, fields={"reason": [complaint]})
    return reason


def check_undo(hours: int) -> int:
    """Return the length of the undo window in hours, 0 to 720."""
    if not 0 <= hours <= MOST_UNDO_HOURS:
        complaint = f"The undo window has 0 to {MOST_UNDO_HOURS} hours."
        raise InvalidError(complaint, fields={"undo_hours": [complaint]})
    return hours


def check_scope(scope: Iterable[str] | None, known: Iterable[str]) -> tuple[str, ...] | None:
    """Return the data classes to erase, None for everything; InvalidError names the allowed ones."""
    if scope is None:
        return None
    wanted, allowed = tuple(dict.fromkeys(scope)), sorted(known)
    if not wanted or set(wanted) - set(allowed):
        complaint = f"A scope names data classes of the catalogue: {', '.join(allowed)}."
        raise InvalidError(complaint, fields={"scope.data_classes": [complaint]})
    return wanted


@dataclass(frozen=True, slots=True)
class Refused:
    """An approval that was refused and leaves a trace; `code` is stable and kebab-case."""

    code: str
    sentence: str


def rest(attempts: int) -> timedelta:
    """How long a step rests after its n-th failure: a minute, doubled each time, six hours at most."""
    doubled: timedelta = _FIRST_REST * 2 ** min(max(0, attempts - 1), 16)
    return min(doubled, _LONGEST_REST)


def ready(steps: Sequence[Step], now: datetime, before: Before) -> Step | None:
    """The step to take now: one that does not rest, and before which no other has to be done.

    Our own rows wait for nobody, and nobody waits for what a legal hold covers.
    """
    open_ = {step.system for step in steps if step.status not in (DONE, HELD)}
    for step in steps:
        waits = step.status in (FAILED, DONE, HELD) or (step.next_at or now) > now
        if not waits and not before.get(step.system, _NONE) & open_:
            return step
    return None


def overall(steps: Sequence[Step], before: Before) -> str:
    """What the steps come to. Complete only if each has proof that nothing is left."""
    statuses = {step.status for step in steps}
    if statuses <= {DONE}:
        kept = any(step.outcome == "kept_until" for step in steps)
        return PARTLY_COMPLETE if kept else COMPLETE
    if FAILED in statuses and not _can_go_on(steps, before):
        return FAILED
    return WAITING if statuses <= {DONE, HELD, WAITING, FAILED} else IN_PROGRESS


def _can_go_on(steps: Sequence[Step], before: Before) -> bool:
    """Whether anything but a failed step, and what stands behind it, is left to do."""
    failed = {step.system for step in steps if step.status == FAILED}
    return any(
        step.status in (PENDING, WAITING, HELD) and not before.get(step.system, _NONE) & failed
        for step in steps
    )


def next_at(steps: Sequence[Step], now: datetime, before: Before) -> datetime | None:
    """When the next step can be taken; None if only a person can help."""
    if ready(steps, now, before) is not None:
        return now
    resting = [step.next_at for step in steps if step.status not in (DONE, FAILED) and step.next_at]
    return min(resting, default=None)
