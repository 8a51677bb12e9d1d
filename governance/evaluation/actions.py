"""What may be asked about a person: one entry for each gate. A new gate joins with a line of `ACTIONS`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.access.questions import READ, USE, read_question
from governance.communications.model import ACTION as SEND
from governance.communications.model import CALL_MODES, CHANNELS, read_check, read_instant
from governance.communications.screening_run import Inquiry
from governance.communications.selection import Selection
from governance.decisions.record import DecisionRecord
from governance.errors import InvalidError
from governance.evaluation.desk import Desk
from governance.evaluation.model import EvaluationRequest
from governance.lifecycle import service as lifecycle
from governance.purposes import service as purposes
from governance.purposes.model import ACTIVE
from governance.retention import gate as erasing
from governance.subjects.model import CHANNEL_POINT_TYPE, SubjectReference
from governance.transfers import gate as transferring
from governance.transfers.model import ACTION as TRANSFER

DATA_SUBJECT = "data_subject"
_NOBODY = SubjectReference(id="0")

Properties = Mapping[str, Any]
Audience = Callable[[Selection], Iterator[tuple[str, bool, Properties]]]
"""Passes over people in the order of their references: reference, whether permitted, what else is told."""


@dataclass(frozen=True, slots=True)
class Action:
    """A gate's question about a person.

    `evaluate` answers it; `variants` lists the properties that an action search asks with; `audience`, where
    a gate has one, answers it for a whole audience at once (else everybody is evaluated one by one).
    """

    name: str
    evaluate: Callable[[Desk, EvaluationRequest], DecisionRecord]
    variants: Callable[[Desk], Iterable[Properties]]
    audience: Callable[[Desk, EvaluationRequest], Audience] | None = None


def _send(desk: Desk, request: EvaluationRequest) -> DecisionRecord:
    return desk.gate.answer(desk.message(request), request.resource.id, asked_for=desk.asked_for(request))


def _messages(desk: Desk) -> Iterator[Properties]:
    """Every channel, class and purpose; a purpose with the classes that it names: no other may rest on it."""
    for purpose in purposes.every(desk.snap):
        if purpose.state != ACTIVE:
            continue
        for message_class in purpose.message_classes:
            for channel in CHANNELS:
                said = {"channel": channel, "message_class": message_class, "purpose": purpose.purpose_id}
                if channel != "voice":
                    yield said
                    continue
                for mode in CALL_MODES:
                    yield {**said, "call_mode": mode}


def _readers(desk: Desk, request: EvaluationRequest) -> Audience:
    """The audience of a message, by the stream that screenings use."""
    if request.action_properties.get("contact_point") is not None:
        raise InvalidError(
            "A search asks about all contact points of the channel.",
            fields={"action.properties.contact_point": ["Leave it out."]},
        )
    asked = read_check(_NOBODY, request.action_properties, request.context)
    inquiry = Inquiry(desk.snap, asked, desk.gate)
    kind = CHANNEL_POINT_TYPE[asked.channel]

    def pass_over(selection: Selection) -> Iterator[tuple[str, bool, Properties]]:
        for ref, number, points in inquiry.people([selection]):
            told = {"contact_points": [{"ref": point, "type": kind} for point in points]} if points else {}
            yield ref, inquiry.judge.allowed[number], told

    return pass_over


def _moment(request: EvaluationRequest) -> tuple[datetime | None, dict[str, list[str]]]:
    """The instant that a question is about (`context.time`), and complaints about its context."""
    fields: dict[str, list[str]] = {}
    said = request.context.get("time")
    time = read_instant(said)
    if said is not None and time is None:
        fields["context.time"] = ["Give an RFC 3339 instant with an offset, e.g. 2026-11-21T10:00:00Z."]
    if request.context.get("as_of") is not None:
        fields["context.as_of"] = ["The past cannot be asked about here yet; leave it out."]
    return time, fields


def _timed(request: EvaluationRequest) -> datetime | None:
    """The instant that a question is about; InvalidError where its context cannot be read."""
    time, fields = _moment(request)
    if fields:
        raise InvalidError("The question cannot be read; see the fields.", fields=fields)
    return time


def _move(desk: Desk, request: EvaluationRequest) -> DecisionRecord:
    properties = request.action_properties
    time, fields = _moment(request)
    model, to = properties.get("model", "relationship"), properties.get("to")
    evidence, because = properties.get("evidence") or {}, properties.get("because")
    for name, value in (("model", model), ("to", to)):
        if not isinstance(value, str):
            fields[name] = ["Give the name as text."]
    if not isinstance(evidence, Mapping) or not all(isinstance(each, str) for each in evidence.values()):
        fields["evidence"] = ["Give an object of references as text."]
    if because is not None and not isinstance(because, str):
        fields["because"] = ["Give the reason as text."]
    if fields:
        raise InvalidError("The transition cannot be read; see the fields.", fields=fields)
    return lifecycle.check(
        desk.snap,
        desk.person(request),
        model=str(model),
        to=str(to),
        evidence=evidence,
        because=because,
        policy=desk.ground.policy,
        time=time,
        asked_for=desk.asked_for(request),
    )


def _moves(desk: Desk) -> Iterator[Properties]:
    """Every stage of every model, without evidence: what a move lacks is among the reasons."""
    for model in desk.ground.policy.models.values():
        for stage in model.stages:
            yield {"model": model.name, "to": stage.id}


def _erase(desk: Desk, request: EvaluationRequest) -> DecisionRecord:
    return erasing.check(
        desk.snap,
        desk.ground,
        desk.person(request),
        request.action_properties,
        time=_timed(request),
        asked_for=desk.asked_for(request),
    )


def _transfer(desk: Desk, request: EvaluationRequest) -> DecisionRecord:
    return transferring.check(
        desk.snap,
        desk.ground,
        desk.person(request),
        request.action_properties,
        time=_timed(request),
        asked_for=desk.asked_for(request),
        external_id=request.resource.id,
    )


def _data(desk: Desk, request: EvaluationRequest) -> DecisionRecord:
    question = read_question(request.action, request.action_properties, request.context)
    asker = (request.subject.type, request.subject.id)
    asked_for = desk.asked_for(request)
    return desk.access.check(question, asker, desk.person(request), asked_for=asked_for, said=desk.said)


def _readings(desk: Desk) -> Iterator[Properties]:
    """Every field for every purpose whose record names its class: no other is permitted."""
    for purpose in purposes.every(desk.snap):
        for field in desk.access.fields.values():
            if purpose.state == ACTIVE and field.data_class in purpose.data_classes:
                yield {"fields": [field.id], "purpose": purpose.purpose_id}


def _uses(desk: Desk) -> Iterator[Properties]:
    """Every purpose, for data that were collected as the person's capture point says."""
    for purpose in purposes.every(desk.snap):
        if purpose.state == ACTIVE:
            yield {"purpose": purpose.purpose_id}


ACTIONS: Mapping[str, Action] = {
    each.name: each
    for each in (
        Action(SEND, _send, _messages, _readers),
        Action(lifecycle.ACTION, _move, _moves),
        Action(TRANSFER, _transfer, lambda desk: transferring.variants(desk.snap, desk.ground)),
        Action(READ, _data, _readings),
        Action(USE, _data, _uses),
        Action(erasing.ACTION, _erase, lambda desk: erasing.variants(desk.snap)),
    )
}
"""The gates, by the name of their action."""
