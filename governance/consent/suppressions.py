"""Suppressions: nobody is to be reached, for whatever reason; lifted by a release only, never by a consent.

A suppression is of a person (and then part of the person's state) or of a contact point (and then kept by
keyed hash, for whoever uses it; it survives every erasure).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from governance.consent import acts, attesting, store, suppression_store
from governance.consent.acts import SUPPRESSION_SCOPES, Draft
from governance.consent.buried import keep_no
from governance.consent.consents import living
from governance.consent.kinds import SCOPE_KIND
from governance.consent.noes import Suppression, of_person, of_point
from governance.consent.proof import check_method, is_act
from governance.consent.recording import append, seal
from governance.consent.suppression_store import StoredBar
from governance.errors import InvalidError, NotFoundError
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import read_value
from governance.work import Work


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """A suppression of exactly one of a person and a contact point.

    `reason`: a code, or free text (sealed).
    """

    scope: str
    subject_ref: str | None = None
    contact_point: Identifier | None = None
    channel: str | None = None
    reason: str | None = None
    method: str = "other"
    occurred_at: datetime | None = None
    evidence: Mapping[str, object] | None = None


def suppress(work: Work, new: NewSuppression) -> Suppression:
    """Suppress a person or a contact point.

    InvalidError for an unknown scope or channel, or not exactly one of both.
    """
    scope = acts.check_scope(new.scope, SUPPRESSION_SCOPES)
    channel = acts.check_channel(new.channel)
    if (new.subject_ref is None) == (new.contact_point is None):
        complaint = "Name either the person or the contact point."
        raise InvalidError(complaint, fields={"subject": [complaint], "contact_point": [complaint]})
    at = acts.clamped(new.occurred_at, work.now)
    if new.contact_point is not None:
        return _on_point(work, new, new.contact_point, scope, channel, at)
    assert new.subject_ref is not None
    person = living(work, new.subject_ref)
    code, told = acts.reason_code(new.reason)
    method = check_method(new.method, negative=True)
    draft = Draft(
        consent_id=work.new_id("sup"),
        kind=SCOPE_KIND[scope],
        status="suppressed",
        scope=scope,
        method=method,
        by_person=is_act(method),
        occurred_at=at,
        channel=channel,
        reason=code,
        payload=_payload(new.evidence, reason=told),
    )
    event = append(work, person.subject_ref, draft)[0]
    if person.erased:
        keep_no(work, person.subject_ref, scope=scope, channel=channel, occurred_at=at)
    return of_person(event)


def release_suppression(
    work: Work, suppression_id: str, *, because: str, evidence: Mapping[str, object] | None = None
) -> Suppression:
    """End a suppression; why is kept sealed. A release told twice changes nothing.

    Raises NotFoundError for an unknown one, InvalidError without a reason.
    """
    if not because.strip():
        complaint = "Say why the suppression is released."
        raise InvalidError(complaint, fields={"because": [complaint]})
    payload = _payload(evidence, because=because)
    bar = suppression_store.find(work.connection, work.tenant_id, suppression_id)
    if bar is not None:
        return _release_bar(work, bar, payload)
    act = store.events_of_act(work.connection, work.tenant_id, suppression_id)
    if not any(event.status == "suppressed" for event in act):
        raise NotFoundError("There is no such suppression.")
    person = living(work, act[0].subject_ref)
    of_this = [event for event in act if event.subject_ref == person.subject_ref]
    said = next(event for event in of_this or act if event.status == "suppressed")
    released = next((event for event in of_this if event.status == "released"), None)
    if released is None:
        draft = Draft(
            consent_id=suppression_id,
            kind=said.kind,
            status="released",
            scope=said.scope,
            method="other",
            by_person=False,
            occurred_at=work.now,
            channel=said.channel,
            payload=payload,
        )
        released = append(work, person.subject_ref, draft)[0]
    return of_person(said, released=released)


def suppress_point(
    work: Work, suppression_hash: str, *, scope: str, reason: str, origin_subject_ref: str | None = None
) -> Suppression:
    """Suppress a contact point that is known by its hash (hard bounces, complaints); `reason` is a code."""
    event_id = work.new_id("evt")
    bar = _bar(
        work, suppression_hash, work.new_id("sup"), scope, "", reason, work.now, event_id, origin_subject_ref
    )
    _record_bar(work, bar, "consent.point_suppressed", event_id)
    attesting.keep(work, [bar])
    return of_point(bar)


def _on_point(
    work: Work, new: NewSuppression, point: Identifier, scope: str, channel: str, at: datetime
) -> Suppression:
    if channel:
        acts.check_point(channel, point)
    value = read_value(work, point)
    code, told = acts.reason_code(new.reason)
    event_id, suppression_id = work.new_id("evt"), work.new_id("sup")
    bar = _bar(work, value.suppression_hash, suppression_id, scope, channel, code, at, event_id, None)
    _record_bar(work, bar, "consent.point_suppressed", event_id, _payload(new.evidence, reason=told))
    attesting.keep(work, [bar])
    return of_point(bar)


def _release_bar(work: Work, bar: StoredBar, payload: Mapping[str, object]) -> Suppression:
    if bar.released_at is not None:
        return of_point(bar)
    suppression_store.release(work.connection, work.tenant_id, bar.suppression_id, work.now)
    _record_bar(work, bar, "consent.point_released", work.new_id("evt"), payload)
    released = suppression_store.find(work.connection, work.tenant_id, bar.suppression_id)
    assert released is not None
    return of_point(released)


def _record_bar(
    work: Work, bar: StoredBar, kind: str, event_id: str, payload: Mapping[str, object] | None = None
) -> None:
    """Record what happened to a contact point's bar. What is personal is sealed under a key of the bar's own:
    no person is known here whose key it could be."""
    work.record(
        kind,
        facts={
            "suppression": bar.suppression_id,
            "scope": bar.scope,
            "channel": bar.channel,
            "reason": bar.reason,
        },
        sealed=seal(work, bar.suppression_id, event_id, payload, is_no=True),
        event_id=event_id,
    )


def _bar(
    work: Work,
    suppression_hash: str,
    suppression_id: str,
    scope: str,
    channel: str,
    reason: str,
    at: datetime,
    event_id: str,
    origin: str | None,
) -> StoredBar:
    return StoredBar(
        suppression_hash,
        suppression_id,
        scope,
        "",
        "",
        channel,
        "",
        origin,
        reason,
        at,
        work.now,
        None,
        event_id,
    )


def _payload(evidence: Mapping[str, object] | None, **told: str | None) -> dict[str, object]:
    payload: dict[str, object] = {name: text for name, text in told.items() if text}
    if evidence:
        payload["evidence"] = dict(evidence)
    return payload
