"""Objections: to all marketing, to one purpose, or to profiling (Regulation (EU) 2016/679 Art. 21).

An objection is released by the person's own act only. A Global Privacy Control signal is recorded as an
objection to the purpose `sale_sharing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from governance.consent import acts, store
from governance.consent.acts import OBJECTION_SCOPES, Draft
from governance.consent.consents import bar_point, check_purpose, keep_late, living, used_point_hash
from governance.consent.kinds import OBJECTION, PROFILING
from governance.consent.model import ALL, SALE_SHARING
from governance.consent.outcomes import payload_of
from governance.consent.projection import ConsentEvent, in_force
from governance.consent.proof import check_method, is_act
from governance.consent.recording import append
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.happened import happened_at
from governance.subjects.identifiers import Identifier
from governance.work import Work


@dataclass(frozen=True, slots=True)
class NewObjection:
    """An objection. Scope `all` is to all marketing, `purpose` to the named one, `profiling` to profiling."""

    subject_ref: str
    scope: str
    purpose: str | None = None
    method: str = "other"
    channel: str | None = None
    contact_point: Identifier | None = None
    occurred_at: datetime | None = None
    evidence: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class ObjectionOutcome:
    """What an objection or its release came to."""

    objection_id: str
    subject_ref: str
    scope: str
    purpose: str | None
    occurred_at: datetime
    event_id: str


def object_(work: Work, new: NewObjection) -> ObjectionOutcome:
    """Record an objection. InvalidError for an unknown scope, or a purpose that is unknown or missing."""
    scope = acts.check_scope(new.scope, OBJECTION_SCOPES)
    purpose, version = check_purpose(work, new.purpose)
    if scope == "purpose" and not purpose:
        complaint = "An objection to a purpose names it."
        raise InvalidError(complaint, fields={"purpose": [complaint]})
    if scope == "all":
        purpose, version = ALL, None
    channel = acts.check_channel(new.channel)
    person = living(work, new.subject_ref)
    method = check_method(new.method, negative=True)
    draft = Draft(
        consent_id=work.new_id("obj"),
        kind=PROFILING if scope == "profiling" else OBJECTION,
        status="objected",
        scope="marketing" if scope == "all" else scope,
        method=method,
        by_person=is_act(method),
        occurred_at=acts.clamped(new.occurred_at, work.now),
        purpose=purpose,
        channel=channel,
        purpose_version=version,
        payload=payload_of(new.evidence),
    )
    events = append(work, person.subject_ref, draft)
    if scope != "profiling" and person.erased:
        keep_late(work, events[0], used_point_hash(work, person, new.contact_point, None))
    elif scope != "profiling":
        bar_point(work, events, used_point_hash(work, person, new.contact_point, new.channel))
    return _outcome(events[0])


def object_by_signal(
    work: Work, subject_ref: str, *, evidence: Mapping[str, object] | None = None
) -> ObjectionOutcome:
    """Record a Global Privacy Control signal (`Sec-GPC: 1`) as an opt-out of sale and sharing.

    Browsers send it with every request: while such an objection stands, it is not recorded again.
    """
    person = living(work, subject_ref)
    events = in_force(store.events_of(work.connection, work.tenant_id, person.subject_ref))
    for event in events:
        if event.kind == OBJECTION and event.purpose == SALE_SHARING and event.status == "objected":
            return _outcome(event)
    new = NewObjection(person.subject_ref, "purpose", SALE_SHARING, "gpc", evidence=evidence)
    return object_(work, new)


def release_objection(
    work: Work,
    objection_id: str,
    *,
    method: str,
    occurred_at: datetime | None = None,
    evidence: Mapping[str, object] | None = None,
) -> ObjectionOutcome:
    """End an objection, on the person's own act. A release told twice changes nothing.

    Raises NotFoundError for an unknown objection, ConflictError `not-the-persons-act` for any other method,
    or `older-than-objection` if the act happened before the objection did.
    """
    objected = _stands(work, objection_id)
    person = living(work, objected.subject_ref)
    act = store.events_of_act(work.connection, work.tenant_id, objection_id)
    of_this = [event for event in act if event.subject_ref == person.subject_ref]
    for event in of_this:
        if event.status == "released":
            return _outcome(event)
    objected = of_this[0] if of_this else objected
    if not is_act(method):
        raise ConflictError(
            "An objection is released by the person's own act only; name its method.",
            reason="not-the-persons-act",
        )
    at = happened_at(occurred_at, work.now)
    if at <= objected.occurred_at:
        raise ConflictError(
            "The release is not later than the objection, so the objection stands.",
            reason="older-than-objection",
        )
    draft = Draft(
        consent_id=objection_id,
        kind=objected.kind,
        status="released",
        scope=objected.scope,
        method=method,
        by_person=True,
        occurred_at=at,
        purpose=objected.purpose,
        controller=objected.controller,
        channel=objected.channel,
        topic=objected.topic,
        payload=payload_of(evidence),
    )
    return _outcome(append(work, person.subject_ref, draft)[0])


def _stands(work: Work, objection_id: str) -> ConsentEvent:
    act = store.events_of_act(work.connection, work.tenant_id, objection_id)
    objected = [event for event in act if event.status == "objected"]
    if not objected:
        raise NotFoundError("There is no such objection.")
    # After a merge the act stands in two histories; whose own it is decides who releases it.
    return min(objected, key=lambda event: event.merged_from is not None)


def _outcome(event: ConsentEvent) -> ObjectionOutcome:
    scope = "all" if event.scope == "marketing" else event.scope
    return ObjectionOutcome(
        event.consent_id, event.subject_ref, scope, event.purpose or None, event.occurred_at, event.event_id
    )
