"""Searches: who may, to whom, and what may be done. A result is whatever an evaluation would permit.

A page is read in one snapshot. People are passed over in the order of their references, in windows, and the
next page begins after the last one looked at: nobody is given twice, and nobody who is permitted throughout
is lost. A page may hold fewer results than asked for (none at all, too) and still not be the last.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import sqlalchemy as sa

from governance.access import standing
from governance.clock import wire
from governance.communications.model import ACTION as SEND
from governance.communications.model import WRITERS
from governance.communications.selection import Selection
from governance.decisions.model import Verdict
from governance.decisions.record import DecisionRecord, obligation_documents, reason_document
from governance.errors import GovernanceError, InvalidError
from governance.evaluation.actions import ACTIONS, DATA_SUBJECT, Audience, Properties
from governance.evaluation.desk import Desk
from governance.evaluation.model import Entity, EvaluationRequest
from governance.evaluation.search_model import (
    ACTION,
    DEFAULT_LIMIT,
    MOST_RESULTS,
    RESOURCE,
    Found,
    SearchRequest,
    narrowed,
)
from governance.evaluation.service import answer
from governance.policy.access import action_names, entities_of
from governance.policy.compiled import ANY_ACTION
from governance.subjects import service as subjects
from governance.subjects.store import subject
from governance.work import Snapshot

STREAMED, ONE_BY_ONE = 200_000, 1_000
"""So many people, or single evaluations, are looked at for one page at the most."""

_FIRST_WINDOW = 2_000
_YES = Verdict(True, (), (), ())


def search(
    snap: Snapshot, asked: SearchRequest, position: str | int | None = None
) -> tuple[Found, DecisionRecord]:
    """One page of a search, from a position that an earlier page gave (None: from the beginning).

    With it comes what the decision log keeps of the search; logging it is the caller's task. Raises
    InvalidError if the question makes no sense to the gate it belongs to.
    """
    desk = Desk(snap)
    limit = min(DEFAULT_LIMIT if asked.limit is None else asked.limit, MOST_RESULTS)
    about_people = asked.question.resource.type == DATA_SUBJECT
    if asked.kind == ACTION:
        found = _actions(desk, asked, limit, int(position or 0))
    elif asked.kind == RESOURCE and about_people:
        found = _people(desk, narrowed(asked), limit, str(position or ""))
    else:
        found = _entities(desk, asked, limit, str(position or ""))
    record = _record(desk, asked, found)
    found.context.update(
        id=record.id,
        policy=desk.ground.policy.digest,
        ledger_position=desk.ground.ledger_position,
        evaluated_at=wire(snap.now),
    )
    return found, record


def _record(desk: Desk, asked: SearchRequest, found: Found) -> DecisionRecord:
    """Who asked what, and how many results a page had; whom it named is not kept."""
    snap, question = desk.snap, asked.question
    resource = question.resource
    person = desk.person(question) if asked.kind != RESOURCE and resource.type == DATA_SUBJECT else None
    return DecisionRecord(
        id=snap.new_id("dec"),
        action=f"search.{asked.kind}",
        subject_ref=person,
        verdict=_YES,
        policy=desk.ground.policy.digest,
        ledger_position=desk.ground.ledger_position,
        evaluated_at=snap.now,
        caller_ref=snap.actor.ref,
        question={
            "search": asked.kind,
            "action": None if asked.kind == ACTION else desk.said(question.action),
            "resource_type": desk.said(resource.type),
            "question": asked.digest(),
            "results": len(found.results),
        },
        asked_for=desk.asked_for(question),
    )


def _people(desk: Desk, asked: SearchRequest, limit: int, after: str) -> Found:
    """Everyone to whom the action may be done, in the order of references."""
    action = ACTIONS.get(asked.question.action)
    if action is None and ANY_ACTION not in desk.ground.policy.programs:
        return Found([], None)
    if action is not None and action.audience is not None:
        audience, most = action.audience(desk, asked.question), STREAMED
    else:
        audience, most = _one_by_one(desk, asked), ONE_BY_ONE
    if desk.bar(asked.question.subject) is not None:
        return Found([], None)
    results: list[tuple[str, Properties]] = []
    looked, size = 0, min(_FIRST_WINDOW, most)
    while len(results) < limit:
        until = _window(desk.snap, asked, after, size)
        for ref, allowed, told in audience(_selection(asked, after, until)):
            looked += 1
            after = ref
            if allowed:
                results.append((ref, told))
                if len(results) == limit:
                    break
        else:
            if until is None:
                return Found(_named(desk.snap, results), None)
            after = until
            if looked >= most:
                break
            size = min(size * 4, most - looked)
    return Found(_named(desk.snap, results), after)


def _one_by_one(desk: Desk, asked: SearchRequest) -> Audience:
    """Evaluate everybody in turn, for gates without a stream of their own; raises what nonsense raises."""
    answer(desk, _about(asked.question, "nobody"))

    def pass_over(selection: Selection) -> Iterator[tuple[str, bool, Properties]]:
        query = _chosen(sa.select(subject.c.subject_ref, subject.c.external_id), desk.snap, asked)
        query = query.where(subject.c.subject_ref > (selection.after or ""))
        if selection.until is not None:
            query = query.where(subject.c.subject_ref <= selection.until)
        for ref, external_id in desk.snap.connection.execute(query.order_by(subject.c.subject_ref)).all():
            yield ref, answer(desk, _about(asked.question, external_id)).allowed, {}

    return pass_over


def _window(snap: Snapshot, asked: SearchRequest, after: str, size: int) -> str | None:
    """The reference of the last of the next so many people; None if there are no more than these."""
    query = _chosen(sa.select(subject.c.subject_ref), snap, asked)
    query = query.where(subject.c.subject_ref > after).order_by(subject.c.subject_ref)
    found: str | None = snap.connection.scalar(query.offset(size - 1).limit(1))
    return found


def _chosen(query: sa.Select[Any], snap: Snapshot, asked: SearchRequest) -> sa.Select[Any]:
    query = query.where(subject.c.tenant_id == snap.tenant_id, subject.c.merged_into.is_(None))
    if asked.relationship:
        query = query.where(subject.c.stage_relationship.in_(asked.relationship))
    if asked.country:
        query = query.where(subject.c.country.in_(asked.country))
    return query


def _selection(asked: SearchRequest, after: str, until: str | None) -> Selection:
    return Selection(asked.relationship, asked.country, after=after or None, until=until)


def _named(snap: Snapshot, found: list[tuple[str, Properties]]) -> list[dict[str, Any]]:
    """People as AuthZEN's entities, by the CRM's own ids."""
    ids = subjects.external_ids(snap, [ref for ref, _ in found])
    return [
        {"type": DATA_SUBJECT, "id": ids[ref], **({"properties": dict(told)} if told else {})}
        for ref, told in found
    ]


def _entities(desk: Desk, asked: SearchRequest, limit: int, after: str) -> Found:
    """Subjects or own resources of a type: those that are registered here and those that packs state."""
    question = asked.question
    kind = question.resource.type if asked.kind == RESOURCE else question.subject.type
    known = set(entities_of(desk.ground.policy, kind))
    if asked.kind != RESOURCE:
        known.update(standing.registered(desk.snap, kind))
    results: list[dict[str, Any]] = []
    waiting = (each for each in sorted(known) if each > after)
    for looked, each in enumerate(waiting, start=1):
        if len(results) == limit:
            return Found(results, after)
        about = _about(question, each) if asked.kind == RESOURCE else _by(question, each)
        if answer(desk, about).allowed:
            results.append({"type": kind, "id": each})
        after = each
        if looked == ONE_BY_ONE:
            return Found(results, after)
    return Found(results, None)


def _actions(desk: Desk, asked: SearchRequest, limit: int, first: int) -> Found:
    """What may be done: every gate's question in all its variants. The refused ones are told with why."""
    results: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    reasons: dict[tuple[str, str], dict[str, Any]] = {}
    duties: dict[str, list[int]] = {}
    context: dict[str, Any] = {"refused": refused, "reasons": [], "obligations": [], "stage": None}
    place = first
    following: int | None
    waiting = list(islice(_askable(desk, asked), first, first + ONE_BY_ONE + 1))
    if asked.question.resource.type == DATA_SUBJECT:
        desk.expect(each for each in waiting if each.action == SEND)
    for question in waiting:
        if len(results) == limit or place - first == ONE_BY_ONE:
            following = place
            break
        place += 1
        properties = question.action_properties
        named = {"name": question.action, **({"properties": dict(properties)} if properties else {})}
        try:
            given = answer(desk, question)
        except InvalidError as error:
            if first or results or refused:
                refused.append({**named, "codes": ["invalid"], "because": error.message})
                continue
            raise
        except GovernanceError as error:
            refused.append({**named, "codes": [error.code], "because": error.message})
            continue
        context["stage"] = context["stage"] or (dict(given.stage) if given.stage else None)
        if given.allowed:
            for duty in given.verdict.obligations:
                duties.setdefault(duty, []).append(len(results))
            results.append(named)
            continue
        later = given.next_eligible_at
        refused.append({**named, "codes": list(given.codes), "next_eligible_at": later and wire(later)})
        for reason in given.verdict.reasons:
            reasons.setdefault((reason.code, reason.rule), reason_document(reason))
    else:
        following = None
    context["reasons"] = list(reasons.values())
    context["obligations"] = _duties(duties, desk)
    return Found(results, following, context)


def _duties(duties: Mapping[str, list[int]], desk: Desk) -> list[dict[str, Any]]:
    """What permitted actions oblige to, each once, with the places of those results."""
    says = desk.ground.policy.vocabulary.obligations
    documents = obligation_documents(list(duties))
    return [
        {**document, "properties": {**document["properties"], "says": says.get(duty, "")}, "results": places}
        for document, (duty, places) in zip(documents, duties.items(), strict=True)
    ]


def _askable(desk: Desk, asked: SearchRequest) -> Iterator[EvaluationRequest]:
    """Everything that may be asked of the resource, in a fixed order."""
    question, gates = asked.question, {}
    writer = _writer(question.subject)
    if question.resource.type == DATA_SUBJECT:
        gates = dict(ACTIONS)
    for action in gates.values():
        for properties in action.variants(desk):
            if action.name == SEND and writer is not None:
                if writer == "ai" and properties.get("call_mode") == "live":
                    continue
                properties = {**properties, "written_by": writer}
            yield _of(question, action.name, properties)
    if ANY_ACTION in desk.ground.policy.programs:
        for name in action_names(desk.ground.policy):
            if name not in gates:
                yield _of(question, name, {})


def _writer(asker: Entity) -> str | None:
    """Whether the caller says of itself that it is a machine that writes and speaks, or a human being."""
    said = asker.properties.get("written_by")
    if said is not None and said not in WRITERS:
        sentence = f"Give one of {', '.join(WRITERS)}."
        raise InvalidError(
            "Nobody of this kind writes.", fields={"subject.properties.written_by": [sentence]}
        )
    return said


def _of(question: EvaluationRequest, action: str, properties: Properties) -> EvaluationRequest:
    return EvaluationRequest(question.subject, action, question.resource, properties, question.context)


def _about(question: EvaluationRequest, resource_id: str) -> EvaluationRequest:
    resource = Entity(question.resource.type, resource_id, question.resource.properties)
    return EvaluationRequest(
        question.subject, question.action, resource, question.action_properties, question.context
    )


def _by(question: EvaluationRequest, subject_id: str) -> EvaluationRequest:
    asker = Entity(question.subject.type, subject_id, question.subject.properties)
    return EvaluationRequest(
        asker, question.action, question.resource, question.action_properties, question.context
    )
