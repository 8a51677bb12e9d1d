"""Verdicts, legal holds and governed records. Pure; the principles are in `governance.policy.principles`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from governance.errors import InvalidError
from governance.policy.principles import DELETE, KEEP, REVIEW, Outcome
from governance.policy.schedules import RUNNING, Circumstances
from governance.subjects.identifiers import check_code, check_external_id
from governance.subjects.model import RELATIONSHIP_STAGES
from governance.subjects.places import check_country

__all__ = ["DELETE", "KEEP", "REVIEW", "Hold", "HoldScope", "RetentionVerdict"]

SCHEDULE, REQUEST = "schedule", "erasure"
OCCASIONS = (SCHEDULE, REQUEST)
"""Why the question is asked: the timetable, or somebody's demand for erasure. Only duties to keep stand in
the way of a demand; that policy would have deleted later does not."""

OWN = "governance"
"""In place of a connected system: this service's own data about a person."""

PROFILE = "contact_details"
"""The data class of a person's own row here, with its contact points."""

ACTIVE, EXPIRED, RELEASED = "active", "expired", "released"
HOLD_STATES = (ACTIVE, EXPIRED, RELEASED)

SUBJECT, DATA_CLASS, FILTER = "subject", "data_class", "filter"
SCOPES = (SUBJECT, DATA_CLASS, FILTER)

NOTICE_DAYS = (30, 15, 5, 1)
"""So many days before a hold ends by itself somebody is told, each once."""

_LONGEST_MATTER = 200
_FILTERS = ("relationship", "country", "data_class", "system")
_MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class RetentionVerdict:
    """What becomes of data: `disposition` is delete, keep or review.

    `until`: the last day of keeping, None if nobody can say it (a hold, a contract in force) or nothing keeps
    it. `rule` is the winner, None under a hold or where no rule speaks. `held_by`: ids of the holds on it.
    `phase`: active, intermediate_archive or due. `during`: the state that it is kept for.
    """

    disposition: str
    until: date | None
    rule: str | None
    because: str
    cites: tuple[str, ...]
    held_by: tuple[str, ...]
    binding: bool = False
    verified: bool = False
    phase: str = "active"
    during: str | None = None

    @property
    def deletable(self) -> bool:
        """Whether nothing stands in the way of deleting now."""
        return self.disposition == DELETE

    @property
    def free_from(self) -> date | None:
        """The first day on which nothing keeps the data any more, if that is known."""
        return None if self.until is None else self.until + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HoldScope:
    """What a legal hold covers: one person, a data class of everybody, or what a filter matches.

    `kind` is subject, data_class or filter. A filter names `relationship`, `country`, `data_class`, `system`;
    what it names must all match, what is absent filters nothing. Of somebody who is found by an erasure only,
    `values` names that as `erasure`.
    """

    kind: str
    subject_ref: str | None = None
    values: Mapping[str, tuple[str, ...]] | None = None

    def document(self) -> dict[str, Any]:
        """What is stored and shown, without the person."""
        return {name: list(values) for name, values in (self.values or {}).items()}


@dataclass(frozen=True, slots=True)
class Touched:
    """What a hold is compared with. None: not known, which a filter takes as a match."""

    subject_ref: str | None = None
    stage: str | None = None
    country: str | None = None
    data_class: str | None = None
    system: str | None = None
    group: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: it stops deletion and permits nothing. Matter and reason are sealed.

    It holds while `state` is active: also after `expires_at`, until its end was recorded.
    """

    hold_id: str
    scope: HoldScope
    state: str
    placed_by: str
    placed_at: datetime
    expires_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    noticed: int | None
    matter_sealed: bytes
    reason_sealed: bytes
    event_id: str

    @property
    def keeper(self) -> str:
        """Under whose key matter and reason lie: the person's, or the hold's own."""
        return self.scope.subject_ref or self.hold_id

    def covers(self, thing: Touched) -> bool:
        """Whether the hold is on this thing; what is not known of it counts as covered."""
        if self.state != ACTIVE:
            return False
        if self.scope.kind == SUBJECT:
            return self.scope.subject_ref in (thing.subject_ref, *thing.group)
        asked = {
            "relationship": thing.stage,
            "country": thing.country,
            "data_class": thing.data_class,
            "system": thing.system,
        }
        return all(
            asked[name] is None or asked[name] in values for name, values in (self.scope.values or {}).items()
        )


STARTER = "Whoever started a run cannot approve it; ask a second person."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A release that was refused and leaves a trace; `code` is stable and kebab-case."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Record:
    """A governed record of a connected system, as the CRM registered it; `created_at` begins its clock."""

    system: str
    record_id: str
    subject_ref: str | None
    data_class: str
    purpose: str | None
    jurisdiction: str | None
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Explained:
    """Why something is still here and when it goes: every rule, the winner, the holds."""

    verdict: RetentionVerdict
    outcome: Outcome
    circumstances: Circumstances
    holds: tuple[Hold, ...]
    today: date


def verdict_of(outcome: Outcome, holds: Sequence[Hold]) -> RetentionVerdict:
    """Put holds and schedule together: a hold beats everything, and says nothing about when it ends."""
    winner = outcome.winner
    held_by = tuple(hold.hold_id for hold in holds)
    until = outcome.until if isinstance(outcome.until, date) else None
    if held_by:
        return RetentionVerdict(
            KEEP,
            None,
            None,
            "A legal hold covers the data; they are kept until it is released.",
            ("Regulation (EU) 2016/679 Art. 17(3)(e)",),
            held_by,
            phase=outcome.phase if outcome.phase != "due" else "intermediate_archive",
        )
    if winner is None:
        because = (
            "Nothing demands that the data be kept."
            if outcome.disposition == DELETE
            else "No schedule says anything about this; a person has to look."
        )
        return RetentionVerdict(outcome.disposition, None, None, because, (), (), phase=outcome.phase)
    because = winner.because
    if outcome.until == RUNNING and winner.during is None:
        because = f"{because} The period has not begun."
    return RetentionVerdict(
        outcome.disposition,
        until,
        winner.id,
        because,
        winner.cites,
        (),
        binding=winner.binding,
        verified=winner.verified,
        phase=outcome.phase,
        during=winner.during if outcome.disposition == KEEP else None,
    )


def check_matter(matter: str) -> str:
    """Return the name or docket number of a matter; InvalidError if it is none."""
    if not matter.strip() or len(matter) > _LONGEST_MATTER or not matter.isprintable():
        complaint = f"A matter is 1 to {_LONGEST_MATTER} printable characters."
        raise InvalidError(complaint, fields={"matter": [complaint]})
    return matter


def check_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a hold ends; InvalidError if that is over already."""
    if expires_at is not None and expires_at <= now:
        complaint = "A hold ends in the future; leave `expires_at` out for one that ends by release only."
        raise InvalidError(complaint, fields={"expires_at": [complaint]})
    return expires_at


def read_filter(named: Mapping[str, Sequence[str]]) -> HoldScope:
    """Read a hold's filter; InvalidError names what cannot be meant."""
    unknown = sorted(set(named) - set(_FILTERS))
    if unknown or not any(named.values()):
        complaint = f"A filter names at least one of {', '.join(_FILTERS)}, each as a list of values."
        raise InvalidError(complaint, fields={"scope.filter": [complaint]})
    values: dict[str, tuple[str, ...]] = {}
    for name, given in named.items():
        if not given or len(given) > _MOST_VALUES:
            complaint = f"Give 1 to {_MOST_VALUES} values."
            raise InvalidError(complaint, fields={f"scope.filter.{name}": [complaint]})
        values[name] = tuple(dict.fromkeys(_value(name, value) for value in given))
    return HoldScope(FILTER, values=values)


def _value(name: str, value: str) -> str:
    if name == "country":
        return check_country(value, "scope.filter.country")
    if name == "relationship" and value not in RELATIONSHIP_STAGES:
        complaint = f"This is one of {', '.join(RELATIONSHIP_STAGES)}."
        raise InvalidError(complaint, fields={"scope.filter.relationship": [complaint]})
    return value if name == "relationship" else check_code(value, f"scope.filter.{name}")


def notice_due(hold: Hold, now: datetime) -> int | None:
    """Which notice about a hold's end is due now: so many days before it, 0 if it is over; None for none."""
    if hold.state != ACTIVE or hold.expires_at is None:
        return None
    if now >= hold.expires_at:
        return 0
    due = [days for days in NOTICE_DAYS if hold.expires_at - now <= timedelta(days=days)]
    if not due:
        return None
    newest = min(due)
    return newest if hold.noticed is None or newest < hold.noticed else None


def check_record_id(record_id: str) -> str:
    """Return the CRM's opaque id of a record; InvalidError as for ids of people."""
    return check_external_id(record_id)
