"""Transfer mechanisms, flows and the question whether data may leave a country. Pure.

A mechanism covers a transfer by its scope: recipients, destinations and data classes, where an empty list
means any. Where flows are declared for what is asked, only the mechanisms that they name count, in their
order: as long as one of them is in force, it carries the flow on. Without a flow every mechanism counts whose
scope covers the transfer, which then is taken for an occasional one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ACTION = "data.transfer"

ADEQUACY = "adequacy"
KINDS = (
    ADEQUACY,
    "scc",
    "bcr",
    "dpf",
    "derogation",
    "localisation-exception",
    "certification",
    "authorisation",
)
"""What a mechanism may be: the contract's kinds, and two that some laws know besides."""

RECIPIENT_KINDS = ("commercial", "public", "non_profit", "religious", "political")

ORDINARY, OPT_OUT, ERASURE, ANSWER = "ordinary", "opt_out", "erasure", "answer"
ERRANDS = (ORDINARY, OPT_OUT, ERASURE, ANSWER)
"""What is sent. Opt-outs, orders to erase or restrict, and answers to the person always go."""

INSIDE, OUT, BACK = "inside", "out", "back"

IN_FORCE = "in_force"
SUSPENDED, EXPIRED, UNASSESSED, NOT_YET = "suspended", "expired", "unassessed", "not_yet"
STATES = (IN_FORCE, SUSPENDED, EXPIRED, UNASSESSED, NOT_YET)
_GRAVITY = (SUSPENDED, EXPIRED, UNASSESSED, NOT_YET)

ACTIVE, FALLBACK, STOPPED = "active", "fallback", "stopped"
FLOW_STATES = (ACTIVE, FALLBACK, STOPPED)
"""A flow goes on its first mechanism (or needs none), on a later one, or not at all."""


EVERYBODY, PLACELESS, GONE = "*", "?", "-"
ALL_OF = (EVERYBODY, PLACELESS, GONE)
"""Counted beside the people of each country: everybody, those whose country is not recorded, and those who
were erased within twelve months, of whom it no longer is."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """What a transfer may rest on.

    `instruments` say what it is in the laws that it serves (catalogue of transfer instruments); those in
    `unassessed` do not count because the assessment that they need is not referred to. `owner` and
    `assessment_reference` are opaque codes. `suspended_at`: when the kill switch was thrown.
    """

    mechanism_id: str
    version: int
    kind: str
    instruments: tuple[str, ...]
    recipients: tuple[str, ...]
    destinations: tuple[str, ...]
    data_classes: tuple[str, ...]
    valid_from: datetime
    expires_at: datetime | None
    owner: str | None
    assessment_reference: str | None
    suspended_at: datetime | None
    unassessed: tuple[str, ...] = ()

    def state(self, now: datetime) -> str:
        """One of STATES."""
        if self.suspended_at is not None:
            return SUSPENDED
        if self.expires_at is not None and self.expires_at <= now:
            return EXPIRED
        if self.valid_from > now:
            return NOT_YET
        return IN_FORCE if self.counts else UNASSESSED

    @property
    def counts(self) -> frozenset[str]:
        """The instruments that count, once the mechanism is in force."""
        return frozenset(self.instruments) - frozenset(self.unassessed)

    def reaches(self, destination: str | None, recipient: str | None) -> bool:
        """Whether a recipient lies in the scope; one who is not named lies only in a scope without names."""
        if self.destinations and destination not in self.destinations:
            return False
        return not self.recipients or recipient in self.recipients

    def covers(
        self, destination: str | None, recipient: str | None, data_classes: Collection[str] | None
    ) -> bool:
        """Whether a transfer lies in the scope; data not named lie only in a scope without classes."""
        if not self.reaches(destination, recipient):
            return False
        return not self.data_classes or (
            data_classes is not None and frozenset(data_classes) <= frozenset(self.data_classes)
        )


@dataclass(frozen=True, slots=True)
class Flow:
    """A transfer that happens again and again; `mechanisms` in the order in which they carry it.

    `people_per_year`: how many people are concerned beyond those whom this service knows.
    """

    flow_id: str
    version: int
    origin: str
    destination: str
    recipient: str
    recipient_kind: str | None
    data_classes: tuple[str, ...]
    mechanisms: tuple[str, ...]
    people_per_year: int = 0

    def carries(self, question: "Question") -> bool:
        """Whether what is asked about is part of this flow."""
        return (
            question.destination == self.destination
            and question.recipient in (None, self.recipient)
            and (question.data_classes is None or question.data_classes <= frozenset(self.data_classes))
            and question.origin in (None, self.origin)
        )


@dataclass(frozen=True, slots=True)
class Question:
    """May data go to a destination? Members that are None were not said, which never helps."""

    destination: str | None
    recipient: str | None = None
    data_classes: frozenset[str] | None = None
    origin: str | None = None
    recipient_kind: str | None = None
    errand: str = ORDINARY

    def document(self) -> dict[str, Any]:
        """The question as it is logged: codes only."""
        said: dict[str, Any] = {
            "destination": self.destination,
            "recipient": self.recipient,
            "data_classes": None if self.data_classes is None else sorted(self.data_classes),
            "origin": self.origin,
            "recipient_kind": self.recipient_kind,
            "errand": self.errand,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Person:
    """What the gate knows of the person whose data are to go; `known` is False if there is no such person."""

    known: bool
    subject_ref: str | None = None
    country: str | None = None
    region: str | None = None
    restricted: bool = False
    erasure_pending: bool = False
    erased: bool = False

    @classmethod
    def living_in(cls, country: str | None) -> "Person":
        """Somebody in good standing: for questions about nobody in particular."""
        return cls(True, country=country)


@dataclass(frozen=True, slots=True)
class Register:
    """Mechanisms and flows as one snapshot sees them; `people` per country, where counted, and in ALL_OF."""

    mechanisms: Mapping[str, Mechanism] = field(default_factory=dict)
    flows: Sequence[Flow] = ()
    people: Mapping[str, int] = field(default_factory=dict)
    tenant_country: str | None = None


@dataclass(frozen=True, slots=True)
class World:
    """One set of facts to decide on; `candidates` are the mechanisms that would cover it, in their order."""

    facts: dict[str, Any]
    candidates: tuple[Mechanism, ...]
    flow: Flow | None = None


def worlds(register: Register, question: Question, person: Person, now: datetime) -> list[World]:
    """The facts to decide on, one set for each flow that what is asked may be part of; else a single one.

    A question that names no recipient may be part of several flows: each of them must then be permitted.
    """
    home = register.tenant_country or person.country
    carried = [flow for flow in register.flows if flow.carries(question)]
    near = [flow for flow in carried if flow.origin in (person.country, home)]
    if carried:
        return [_carried(register, question, person, now, flow) for flow in near or carried]
    candidates = tuple(
        each
        for _, each in sorted(register.mechanisms.items())
        if each.covers(question.destination, question.recipient, question.data_classes)
    )
    return [_world(register, question, person, now, candidates, None)]


def of_flow(register: Register, flow: Flow, person: Person, now: datetime) -> World:
    """The facts of a flow as it was declared, about somebody."""
    question = Question(flow.destination, flow.recipient, frozenset(flow.data_classes), flow.origin)
    return _carried(register, question, person, now, flow)


def _carried(register: Register, question: Question, person: Person, now: datetime, flow: Flow) -> World:
    classes = question.data_classes if question.data_classes is not None else frozenset(flow.data_classes)
    candidates = tuple(
        each
        for each in (register.mechanisms.get(name) for name in flow.mechanisms)
        if each is not None and each.covers(flow.destination, flow.recipient, classes)
    )
    return _world(register, question, person, now, candidates, flow)


def _world(
    register: Register,
    question: Question,
    person: Person,
    now: datetime,
    candidates: tuple[Mechanism, ...],
    flow: Flow | None,
) -> World:
    origin, direction = way(register, question, person, flow)
    recipient = question.recipient or (flow.recipient if flow else None)
    classes = question.data_classes
    if classes is None and flow is not None:
        classes = frozenset(flow.data_classes)
    facts: dict[str, Any] = {
        "transfer.direction": direction,
        "transfer.errand": question.errand,
        "transfer.origin": origin,
        "transfer.destination": question.destination,
        "transfer.recipient_kind": question.recipient_kind or (flow.recipient_kind if flow else None),
        "transfer.data_classes": classes or None,
        "transfer.systematic": flow is not None,
        "transfer.people": None,
        "transfer.people_at_origin": None,
        "mechanism.usable": usable(candidates, now) or None,
        "mechanism.lost": lost(candidates, now),
        "adequacy.suspended": adequacy_fell_away(
            register.mechanisms.values(), question.destination, recipient, now
        ),
        "tenant.country": register.tenant_country,
        "person.country": person.country,
        "person.region": person.region,
        "person.known": person.known,
        "person.restricted": person.restricted,
        "person.erasure_pending": person.erasure_pending,
        "person.erased": person.erased,
    }
    return World(facts, candidates, flow)


def way(
    register: Register, question: Question, person: Person, flow: Flow | None = None
) -> tuple[str | None, str]:
    """Where data are before a transfer, and which way they go.

    Unless it is said, data are with the controller, or with the person where the controller's country is not
    known. They come back if they go to the controller's country from somewhere the person does not live.
    """
    said = question.origin or (flow.origin if flow is not None else None)
    home = register.tenant_country or person.country
    origin = said or home
    if origin is not None and origin == question.destination:
        return origin, INSIDE
    if said is not None and home is not None and question.destination == home and said != person.country:
        return origin, BACK
    return origin, OUT


def usable(candidates: Iterable[Mechanism], now: datetime) -> frozenset[str]:
    """The instruments of those that are in force."""
    return frozenset().union(*(each.counts for each in candidates if each.state(now) == IN_FORCE))


def lost(candidates: Iterable[Mechanism], now: datetime) -> str:
    """Why one that would cover the transfer does not count: the gravest cause, `none` if there is none."""
    found = {each.state(now) for each in candidates}
    return next((each for each in _GRAVITY if each in found), "none")


def adequacy_fell_away(
    mechanisms: Iterable[Mechanism], destination: str | None, recipient: str | None, now: datetime
) -> bool:
    """Whether the register says that adequacy no longer counts there: suspended or ended, none in force."""
    states = {
        each.state(now)
        for each in mechanisms
        if each.kind == ADEQUACY
        and (not each.destinations or destination in each.destinations)
        and (not each.recipients or recipient is None or recipient in each.recipients)
    }
    return bool(states & {SUSPENDED, EXPIRED}) and (IN_FORCE not in states or SUSPENDED in states)
