"""Use cases of the communications gate: check, authorise a hand-over, take in what became of it, history."""

from collections.abc import Sequence
from typing import Any

from governance.communications import capping, outcomes, store, unsubscribe
from governance.communications.gate import Gate, check, open_gate
from governance.communications.messages import (
    AUTHORISED,
    HAND_OVER,
    NOT_HANDED_OVER,
    Authorisation,
    Message,
    RefusedRepeat,
    SendRequest,
)
from governance.communications.model import CheckRequest, read_check
from governance.decisions import service as decisions
from governance.decisions.record import AskedFor, DecisionRecord, PermittedPoint
from governance.errors import ConflictError, GovernanceError
from governance.events import Fact
from governance.subjects import service as subjects
from governance.work import Snapshot, Work

__all__ = [
    "authorise",
    "authorise_many",
    "check",
    "describe_unsubscription",
    "history",
    "open_gate",
    "outcome",
    "read_check",
    "unsubscribe_by",
]

outcome = outcomes.take
describe_unsubscription = unsubscribe.describe
unsubscribe_by = unsubscribe.unsubscribe


def authorise(
    work: Work, send: SendRequest, *, gate: Gate | None = None, asked_for: AskedFor | None = None
) -> Authorisation:
    """Decide about a message at its hand-over and, if it is permitted, enter it into the history.

    A repeat of a `message_id` decides anew and enters nothing twice. A denial is a returned value with an
    event of its own. Raises ConflictError `message-id-reused` if the id was given to another person,
    purpose, channel or topic: what a message was sent for is what leaving by it ends.
    """
    question = send.question
    person = subjects.resolve(work, question.subject)
    if person is not None:
        # Whoever withdraws now waits for us or has been before us: the answer is not stale when it is
        # written.
        subjects.lock(work, person.subject_ref)
    known = store.find(work.connection, work.tenant_id, send.message_id)
    if known is not None:
        same_person = person is not None and known.subject_ref in subjects.group(work, person.subject_ref)
        sent_for = (known.purpose, known.channel, known.topic)
        if not same_person or sent_for != (question.purpose, question.channel, question.topic):
            raise ConflictError(
                "This message_id was used for another message; give each message its own.",
                reason="message-id-reused",
            )
    gate = gate or open_gate(work)
    message_ref = work.new_id("msg") if known is None else known.message_ref
    record = gate.check(question, asked_for=asked_for, message_ref=None if known is None else message_ref)
    if record.allowed and record.subject_ref is not None:
        # Counting and taking are one statement, whatever the check has just read.
        full = capping.take(
            work, gate.caps(question), subject_ref=record.subject_ref, message_ref=message_ref
        )
        if full:
            record = capping.deny(record, full, gate.ground.policy)
    digest = decisions.keep(work, record)
    if not record.allowed or record.subject_ref is None:
        return _denied(work, record, question, known, digest)
    return _authorised(work, record, send, known, message_ref, digest)


def authorise_many(
    work: Work, sends: Sequence[SendRequest], *, asked_for: AskedFor | None = None
) -> list[Authorisation | GovernanceError]:
    """Authorise a batch in one unit of work, each message for itself.

    An error takes the place of its answer.
    """
    gate = open_gate(work)
    results: list[Authorisation | GovernanceError] = []
    for send in sends:
        try:
            results.append(authorise(work, send, gate=gate, asked_for=asked_for))
        except GovernanceError as error:
            results.append(error)
    return results


def _denied(
    work: Work, record: DecisionRecord, question: CheckRequest, known: Message | None, digest: str
) -> Authorisation:
    facts = _facts(record, question, digest) | {"codes": list(record.codes)}
    if known is not None:
        facts |= {"message": known.message_ref, "repeat": True}
    event = work.record("communications.denied", subject_ref=record.subject_ref, facts=facts)
    if known is not None:
        refused = RefusedRepeat(known.message_ref, record.id, work.now, event.id)
        store.add_refusal(work.connection, work.tenant_id, refused)
    return Authorisation(record)


def _authorised(
    work: Work,
    record: DecisionRecord,
    send: SendRequest,
    known: Message | None,
    message_ref: str,
    digest: str,
) -> Authorisation:
    question = send.question
    commercial = bool(record.facts[0]["message.commercial"])
    point: PermittedPoint | None = next(iter(record.contact_points), None)
    event = work.record(
        "communications.authorised",
        subject_ref=record.subject_ref,
        facts=_facts(record, question, digest) | {"message": message_ref, "repeat": known is not None},
    )
    message = Message(
        message_id=send.message_id,
        message_ref=message_ref,
        subject_ref=record.subject_ref or "",
        point_ref=None if point is None else point.ref,
        purpose=question.purpose,
        channel=question.channel,
        message_class=question.message_class,
        commercial=commercial,
        topic=question.topic,
        campaign=send.campaign,
        screening_id=send.screening_id,
        decision_id=record.id,
        status=AUTHORISED,
        hand_over_by=work.now + HAND_OVER,
        authorised_at=work.now if known is None else known.authorised_at,
        event_id=event.id,
    )
    if known is None:
        store.add(work.connection, work.tenant_id, message)
    else:
        values = {name: getattr(message, name) for name in _RENEWED}
        if known.status not in NOT_HANDED_OVER:
            del values["status"]  # what became of it is known already
        store.update(work.connection, work.tenant_id, message.message_id, values)
    due = commercial and question.channel == "email"
    headers = unsubscribe.headers(work, message_ref) if due else {}
    return Authorisation(record, message, point, headers, repeat=known is not None)


_RENEWED = (
    "subject_ref",
    "point_ref",
    "message_class",
    "commercial",
    "decision_id",
    "status",
    "hand_over_by",
    "event_id",
)
"""What a repeat of a message changes of its entry."""


def _facts(record: DecisionRecord, question: CheckRequest, digest: str) -> dict[str, Fact]:
    return {
        "decision": record.id,
        "decision_sha256": digest,
        "purpose": question.purpose,
        "channel": question.channel,
        "class": question.message_class,
    }


def history(
    snap: Snapshot, subject_ref: str, *, after: str | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], str | None]:
    """A person's messages with their outcomes, newest first, and the reference to go on after."""
    found = store.of_subjects(
        snap.connection, snap.tenant_id, subjects.group(snap, subject_ref), after=after, limit=limit + 1
    )
    shown = found[:limit]
    refs = [message.message_ref for message in shown]
    outcomes_of: dict[str, list[dict[str, Any]]] = {ref: [] for ref in refs}
    refusals_of: dict[str, list[dict[str, Any]]] = {ref: [] for ref in refs}
    for outcome_ in store.outcomes(snap.connection, snap.tenant_id, refs):
        outcomes_of[outcome_.message_ref].append(outcome_.document())
    for refusal in store.refusals(snap.connection, snap.tenant_id, refs):
        refusals_of[refusal.message_ref].append(refusal.document())
    items = [
        message.document()
        | {"outcomes": outcomes_of[message.message_ref], "refused_repeats": refusals_of[message.message_ref]}
        for message in shown
    ]
    return items, (shown[-1].message_ref if len(found) > limit else None)
