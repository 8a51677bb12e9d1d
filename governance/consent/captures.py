"""Captures: what a form, a call or an event desk takes in, in one transaction.

A capture is an act of the person, so it may bring back somebody who was erased: as somebody new, with nothing
of what was before (`subjects.service.put(…, by_act=True)`), and only if nothing in it is from before the
fence of the erasure. Of a capture that is refused for an erasure the noes are kept all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from governance.consent import consents, objections
from governance.consent.acts import NewConsent, NoticeRef
from governance.consent.buried import keep_no
from governance.consent.model import ALL, SALE_SHARING
from governance.consent.objections import ObjectionOutcome
from governance.consent.outcomes import ConsentOutcome
from governance.consent.sources import sourced
from governance.errors import ConflictError, InvalidError
from governance.purposes import service as purposes
from governance.purposes.model import CapturePoint
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import read_value
from governance.subjects.model import (
    Absent,
    PointValue,
    PutOutcome,
    RelationshipEvent,
    SubjectChange,
    SubjectReference,
)
from governance.work import Work


@dataclass(frozen=True, slots=True)
class CapturedConsent:
    """A consent within a capture; what it leaves out comes from the capture and its capture point."""

    purpose: str
    status: str
    method: str | None = None
    channel: str | None = None
    topic: str | None = None
    controller: str | None = None
    contact_point: Identifier | None = None
    double_opt_in: bool | None = None
    expires_at: datetime | None = None
    evidence: Mapping[str, object] | None = None
    guardian: Mapping[str, object] | None = None
    night: bool = False


@dataclass(frozen=True, slots=True)
class CapturedEvent:
    """A relationship event within a capture; `occurred_at`: with the capture, unless it says another time."""

    event: str
    reference: str | None = None
    product_family: str | None = None
    contact_point: Identifier | None = None
    opt_out_offered: bool | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewCapture:
    """What was taken in. `external_id`: the CRM's id of the person; `method`: how the person acted
    (`web_form`, `phone`, …); `evidence` is shared by all consents; `gpc`: the request carried `Sec-GPC:
    1`."""

    capture_point: str
    external_id: str
    change: SubjectChange
    consents: Sequence[CapturedConsent] = ()
    events: Sequence[CapturedEvent] = ()
    notice: NoticeRef | None = None
    method: str = "web_form"
    occurred_at: datetime | None = None
    evidence: Mapping[str, object] | None = None
    gpc: bool = False


@dataclass(frozen=True, slots=True)
class CaptureOutcome:
    """What a capture came to. `refused`: why it was not taken in; the noes in it were kept."""

    capture_id: str
    subject: PutOutcome
    consents: tuple[ConsentOutcome, ...]
    events: tuple[RelationshipEvent, ...]
    objection: ObjectionOutcome | None
    refused: ConflictError | None = None


def capture(work: Work, new: NewCapture) -> CaptureOutcome:
    """Take in a capture: the person, then what was consented to, then what happened; all of it or nothing.

    Refused (a returned outcome) is what is from before the fence of an erasure, and what wants more than its
    noes of somebody who is being erased. Raises NotFoundError for an unknown capture point, InvalidError for
    a consent to a purpose that the capture point does not serve, and whatever the single steps raise.
    """
    desk = purposes.get_capture_point(work, new.capture_point)
    _check_purposes(desk, new.consents)
    frozen = _noes_of_frozen(work, desk, new)
    if frozen is not None:
        return frozen
    change = sourced(work, new.change)
    if isinstance(change.capture_point, Absent):
        change = replace(change, capture_point=desk.capture_point_id)
    if isinstance(change.acquired, Absent):
        change = replace(change, acquired=desk.acquired or "person")
    put = subjects.put(work, new.external_id, change, by_act=True, acted_at=_acted_at(new))
    if put.blocked:
        _keep_noes(work, desk, new)
        return CaptureOutcome("", put, (), (), None, subjects.too_late())
    capture_id = work.new_id("cap")
    work.record(
        "consent.captured",
        subject_ref=put.subject_ref,
        facts={
            "capture": capture_id,
            "capture_point": desk.capture_point_id,
            "consents": len(new.consents),
            "events": len(new.events),
            "gpc": new.gpc,
        },
    )
    given = tuple(consents.record(work, _consent(put.subject_ref, desk, new, each)) for each in new.consents)
    happened = tuple(
        subjects.record_event(
            work,
            put.subject_ref,
            event=each.event,
            occurred_at=each.occurred_at or new.occurred_at,
            reference=each.reference,
            product_family=each.product_family,
            point_ref=_point(work, put.subject_ref, each.contact_point),
            opt_out_offered=each.opt_out_offered,
        )
        for each in new.events
    )
    objection = objections.object_by_signal(work, put.subject_ref) if new.gpc else None
    return CaptureOutcome(capture_id, put, given, happened, objection)


def _acted_at(new: NewCapture) -> datetime | None:
    """When the earliest of it happened, as far as that is told: a capture is taken whole, or not at all."""
    told = [new.occurred_at, *(each.occurred_at for each in new.events)]
    return min((each for each in told if each is not None), default=None)


def _noes(new: NewCapture) -> list[CapturedConsent]:
    return [each for each in new.consents if each.status in ("refused", "withdrawn")]


def _noes_of_frozen(work: Work, desk: CapturePoint, new: NewCapture) -> CaptureOutcome | None:
    """Take the noes of somebody who is being erased, and nothing else; None if that is not the case.

    Under an id that nobody has here it is whoever is being erased and reached at one of the addresses.
    """
    noes = _noes(new)
    if not (noes or new.gpc):
        return None
    known = subjects.find(work, new.external_id)
    person = known or subjects.frozen_as(work, _addresses(work, new))
    if person is None or not person.erasure_pending:
        return None
    ref = person.subject_ref
    said = tuple(consents.record(work, _consent(ref, desk, new, each)) for each in noes)
    objection = objections.object_by_signal(work, ref) if new.gpc else None
    unchanged = PutOutcome(ref, created=False, changed=False)
    refused = None
    if known is None or len(noes) < len(new.consents) or new.events:
        refused = ConflictError(
            "This data subject is being erased; the noes were recorded, and nothing else.",
            reason="erasure-pending",
        )
    return CaptureOutcome(work.new_id("cap"), unchanged, said, (), objection, refused)


def _addresses(work: Work, new: NewCapture) -> list[PointValue]:
    change = new.change.checked(work.now)
    country = change.country if isinstance(change.country, str) else None
    sent = () if isinstance(change.identifiers, Absent) else change.identifiers
    return [read_value(work, each, country) for each in sent]


def _keep_noes(work: Work, desk: CapturePoint, new: NewCapture) -> None:
    """Record the noes of a capture that came too late: of whoever is here again, else on the addresses."""
    living = subjects.find(work, new.external_id)
    if living is not None and not living.erased:
        for each in _noes(new):
            consents.record(work, _consent(living.subject_ref, desk, new, each))
        if new.gpc:
            objections.object_by_signal(work, living.subject_ref)
        return
    hashes = [each.suppression_hash for each in _addresses(work, new)]
    person = subjects.find_buried(work, SubjectReference(id=new.external_id))
    person = person or subjects.buried_as(work, hashes)
    if person is None:
        return
    at = new.occurred_at
    for each in _noes(new):
        if not each.night:
            keep_no(
                work,
                person.subject_ref,
                purpose="" if each.purpose == ALL else each.purpose,
                controller=each.controller or "",
                channel=each.channel or "",
                topic=each.topic or "",
                occurred_at=at,
                hashes=hashes,
            )
    if new.gpc:
        keep_no(work, person.subject_ref, purpose=SALE_SHARING, occurred_at=at, hashes=hashes)


def _point(work: Work, subject_ref: str, named: Identifier | None) -> str | None:
    if named is None:
        return None
    return subjects.ensure_point(work, subject_ref, named.type, named.value).point_ref


def _check_purposes(desk: CapturePoint, captured: Sequence[CapturedConsent]) -> None:
    """A yes may only be taken where it was asked for; a no is taken everywhere."""
    for number, each in enumerate(captured):
        if each.status in ("granted", "requested") and each.purpose not in desk.purposes:
            served = ", ".join(desk.purposes) or "none"
            complaint = f"This capture point does not serve this purpose; it serves: {served}."
            raise InvalidError(complaint, fields={f"consents.{number}.purpose": [complaint]})


def _consent(subject_ref: str, desk: CapturePoint, new: NewCapture, each: CapturedConsent) -> NewConsent:
    """Fill in what a captured consent leaves to the capture. A capture point that asks people to confirm
    turns a grant into a sign-up."""
    confirms = desk.double_opt_in if each.double_opt_in is None else each.double_opt_in
    asked = each.status == "granted" and desk.double_opt_in and not each.night
    return NewConsent(
        subject_ref,
        each.purpose,
        "requested" if asked else each.status,
        each.method or new.method,
        channel=each.channel,
        topic=each.topic,
        controller=each.controller,
        contact_point=each.contact_point,
        notice=new.notice,
        double_opt_in=confirms or asked,
        occurred_at=new.occurred_at,
        expires_at=each.expires_at,
        evidence={**(new.evidence or {}), **(each.evidence or {})} or None,
        guardian=each.guardian,
        night=each.night,
    )
