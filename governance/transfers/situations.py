"""What a question about a transfer is decided on: flows, mechanisms that would cover it, facts. Pure.

Where flows go to the recipient that is asked about, only the mechanisms that they name count, in their order:
as long as one of them is in force, it carries the flow on. Whoever asks for more than they carry is denied:
asking for more never opens what asking for less closes. Where no flow goes, every mechanism counts whose
scope covers the transfer, which then is taken for an occasional one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from governance.transfers.model import (
    ADEQUACY,
    BACK,
    BEYOND_ERRAND,
    BEYOND_FLOW,
    EXPIRED,
    IN_FORCE,
    INSIDE,
    NOT_YET,
    ORDINARY,
    OUT,
    SUSPENDED,
    UNASSESSED,
    UNCONSENTED,
    Flow,
    Mechanism,
    Person,
    Question,
    Register,
)

_GRAVITY = (SUSPENDED, EXPIRED, UNASSESSED, NOT_YET, UNCONSENTED)


@dataclass(frozen=True, slots=True)
class World:
    """One set of facts to decide on; `candidates` are the mechanisms that would cover it, in their order."""

    facts: dict[str, Any]
    candidates: tuple[Mechanism, ...]
    flow: Flow | None = None


def worlds(register: Register, question: Question, person: Person, now: datetime) -> list[World]:
    """The facts to decide on: each of the worlds must be permitted.

    A question that names no recipient is asked about every recipient to whom a flow goes there, unless data
    come back to the controller. Errands belong to no flow.
    """
    comes_back = question.recipient is None and way(register, question, person)[1] == BACK
    if question.errand != ORDINARY or comes_back:
        return [_world(register, question, person, now, (), None)]
    served = {flow.recipient for flow in register.flows if flow.serves(question)}
    return [
        world
        for recipient in (sorted(served) if served else [question.recipient])
        for world in _towards(register, replace(question, recipient=recipient), person, now)
    ]


def _towards(register: Register, question: Question, person: Person, now: datetime) -> list[World]:
    """The worlds of a question to one recipient.

    One for each flow that it is part of; if flows go there and it is part of none, it goes beyond each of
    them, and so it does if it names no data classes. Only where no flow goes it is an occasional transfer,
    for which every mechanism counts.
    """
    home = register.tenant_country or person.country
    served = [flow for flow in register.flows if flow.serves(question)]
    carried = [flow for flow in served if flow.carries(question)]
    if served:
        chosen = carried or served
        near = [flow for flow in chosen if flow.origin in (person.country, home)]
        return [_carried(register, question, person, now, flow) for flow in near or chosen]
    candidates = tuple(
        each
        for _, each in sorted(register.mechanisms.items())
        if each.covers(question.destination, question.recipient, question.data_classes)
    )
    return [_world(register, question, person, now, candidates, None)]


def of_flow(register: Register, flow: Flow, person: Person, now: datetime) -> World:
    """The facts of a flow as it was declared, about somebody."""
    return _carried(register, question_of(flow), person, now, flow)


def question_of(flow: Flow) -> Question:
    """What a check asks about a flow as it was declared."""
    return Question(flow.destination, flow.recipient, frozenset(flow.data_classes), flow.origin)


def _carried(register: Register, question: Question, person: Person, now: datetime, flow: Flow) -> World:
    classes = question.data_classes or frozenset(flow.data_classes)
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
    candidates = tuple(each.of(person, register.consents) for each in candidates)
    origin, direction = way(register, question, person, flow)
    beyond = _beyond(question, person, flow)
    if beyond == BEYOND_FLOW and direction == BACK:
        direction = OUT  # flows say of this recipient that it is not the controller
    recipient = question.recipient or (flow.recipient if flow else None)
    # Who names no classes goes beyond the flow and is denied for that; the rest goes by those of the flow.
    classes = question.data_classes or (frozenset(flow.data_classes) if flow is not None else None)
    facts: dict[str, Any] = {
        "transfer.direction": direction,
        "transfer.errand": question.errand,
        "transfer.origin": origin,
        "transfer.destination": question.destination,
        "transfer.recipient_kind": question.recipient_kind or (flow.recipient_kind if flow else None),
        "transfer.data_classes": classes or None,
        "transfer.systematic": flow is not None,
        "transfer.beyond": beyond,
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


def _beyond(question: Question, person: Person, flow: Flow | None) -> str | None:
    """What the transfer goes beyond, if it does."""
    if question.beyond_errand(person):
        return BEYOND_ERRAND
    return BEYOND_FLOW if flow is not None and not flow.carries(question) else None


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


def why_stopped(register: Register, flow: Flow, world: World, now: datetime) -> str:
    """Why what a stopped flow names does not carry it: each mechanism in a few words."""
    if not flow.mechanisms:
        return "The flow names no mechanism, and the law of where it begins asks for one."
    covering = {each.mechanism_id: each for each in world.candidates}
    said = [_shortcoming(register.mechanisms[name], covering, flow, now) for name in flow.mechanisms]
    return f"None of the mechanisms that the flow names carries it: {'; '.join(said)}."


def _shortcoming(named: Mechanism, covering: Mapping[str, Mechanism], flow: Flow, now: datetime) -> str:
    if named.mechanism_id in covering:
        state = covering[named.mechanism_id].state(now)
        if state == IN_FORCE:
            return f"{named.mechanism_id} is in force and covers it, but is not enough by the law"
        return f"{named.mechanism_id} is {state.replace('_', ' ')}"
    if named.destinations and flow.destination not in named.destinations:
        return f"the scope of {named.mechanism_id} has other destinations ({', '.join(named.destinations)})"
    if named.recipients and flow.recipient not in named.recipients:
        return f"the scope of {named.mechanism_id} has other recipients ({', '.join(named.recipients)})"
    missing = sorted(frozenset(flow.data_classes) - frozenset(named.data_classes))
    return f"the scope of {named.mechanism_id} lacks data classes ({', '.join(missing)})"
