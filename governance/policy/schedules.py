"""Retention schedules as they are checked: how long data is kept at least, and when it goes. Pure.

Two kinds of rules, never mixed: `keep` (a duty or a claim: not before) and `delete` (a policy: not after). A
rule names data classes, and may name purposes, stages and places; what it does not name it says about all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Literal

from governance.policy.durations import Duration

WHOLE_YEAR = "calendar_year"
FINANCIAL_YEAR = "financial_year"
ROUNDINGS = (WHOLE_YEAR, FINANCIAL_YEAR)
"""To the end of what a clock may be carried before the period is counted; or a day `MM-DD` ends the year."""

CLOCKS: Mapping[str, str] = {
    "record_created": "when the record came into being",
    "record_closed": "when the matter of the record was closed",
    "became_known": "when the person became known",
    "last_meaningful_contact": "the last contact that came from the person, or when the person became known",
    "last_purchase": "the last purchase",
    "contract_ended": "the end of the contract",
    "subscription_ended": "the end of the subscription",
    "relationship_ended": "the end of the last contract or subscription, or the last purchase after it",
    "consent_ended": "when the last consent was withdrawn or ran out",
}
"""From when a period may be counted."""

STATES: Mapping[str, str] = {
    "contract_in_force": "a contract is in force",
    "subscription_in_force": "a subscription is in force",
    "invoice_open": "an invoice is open",
    "warranty_open": "a warranty runs",
    "dispute_open": "a complaint or dispute is open",
    "restricted": "processing is restricted",
    "consent_in_force": "a consent is in force",
    "always": "for as long as there is a use that demands it",
}
"""While what a rule may keep data without counting a period."""


ALWAYS = "always"
"""The state that lasts without end."""


class Demand(StrEnum):
    """What a rule of a schedule demands."""

    KEEP = "keep"
    DELETE = "delete"


class Then(StrEnum):
    """What becomes of data when its time is over: deleted, or looked at by a person first."""

    DELETE = "delete"
    REVIEW = "review"


Running = Literal["running"]
RUNNING: Running = "running"
Anchor = date | Running | None
"""The day that a clock counts from; `running` before it started, None where it never will."""


@dataclass(frozen=True, slots=True)
class ScheduleRule:
    """One row of a schedule; `id` is `<schedule>.<rule id>`.

    `period` is counted from the day after `clock`, which `rounding` may carry to the end of a year; or the
    rule keeps `during` a state. `then` None: the end of this duty says nothing about what comes after. An
    empty set of classes, purposes, stages, places or systems stands for all. `binding`: law, not guidance or
    custom. `effective_until` is the first day on which the rule no longer holds.
    """

    schedule: str
    id: str
    demand: Demand
    data_classes: frozenset[str]
    purposes: frozenset[str]
    stages: frozenset[str]
    places: frozenset[str]
    systems: frozenset[str]
    clock: str | None
    rounding: str | None
    period: Duration | None
    during: str | None
    then: Then | None
    binding: bool
    verified: bool
    because: str
    cites: tuple[str, ...]
    source: tuple[str, ...]
    reviewed: date
    review_by: date
    effective_from: date | None = None
    effective_until: date | None = None
    line: int = 0
    specificity: int = field(init=False)

    def __post_init__(self) -> None:
        """Count once what the rule names: it is asked for with every record."""
        object.__setattr__(self, "specificity", len(self.named))

    @property
    def named(self) -> tuple[str, ...]:
        """The dimensions that the rule names; the more, the more specific it is. A region counts twice."""
        found = [
            name
            for name, values in (
                ("data class", self.data_classes),
                ("purpose", self.purposes),
                ("stage", self.stages),
                ("place", self.places),
                ("system", self.systems),
            )
            if values
        ]
        regional = bool(self.places) and all("-" in place for place in self.places)
        return (*found, "region") if regional else tuple(found)

    def says(self) -> str:
        """The period as a phrase, for example `8 years from the end of the calendar year of …`."""
        if self.during is not None:
            return f"while {STATES[self.during]}" if self.during != "always" else "without end"
        start = CLOCKS.get(self.clock or "", "")
        if self.rounding is not None:
            year = f"{self.rounding.replace('_', ' ')}" if self.rounding in ROUNDINGS else "tax year"
            start = f"the end of the {year} of: {start}"
        return f"{self.period} from {start}"


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase in the life of data: `id` is active, intermediate_archive or due."""

    id: str
    means: str
    because: str
    cites: tuple[str, ...]
    source: tuple[str, ...]


PHASES = ("active", "intermediate_archive", "due")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One file of retention rules; `places` are what each of its rules is about, unless it names its own."""

    name: str
    title: str
    file: str
    places: frozenset[str]
    owner: str
    rules: tuple[ScheduleRule, ...]
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a schedule asks about one governed thing.

    `places` holds every jurisdiction that may claim it, countries beside their regions. `clocks` lacks what
    never happened.
    """

    data_class: str
    purpose: str | None = None
    stage: str | None = None
    system: str | None = None
    places: frozenset[str] = frozenset()
    clocks: Mapping[str, Anchor] = field(default_factory=dict)
    states: frozenset[str] = frozenset()
    financial_year_end: tuple[int, int] = (12, 31)


@dataclass(frozen=True, slots=True)
class ScheduleCase:
    """A governed thing with what the schedule (`pack`; or all, `whole`) is expected to say of it on a day."""

    pack: str
    name: str
    today: date
    circumstances: Circumstances
    on_request: bool
    disposition: str | None
    until: date | str | None
    winner: str | None
    phase: str | None
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Schedules:
    """All schedules of a set of policies, and the cases that prove them."""

    schedules: tuple[Schedule, ...] = ()
    cases: tuple[ScheduleCase, ...] = ()

    @property
    def rules(self) -> tuple[ScheduleRule, ...]:
        """The rules of all schedules."""
        return tuple(rule for schedule in self.schedules for rule in schedule.rules)


NO_SCHEDULES = Schedules()
