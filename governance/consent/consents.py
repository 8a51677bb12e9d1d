"""Use cases of consent itself: record what was said, withdraw."""

from collections.abc import Mapping, Sequence

from governance.consent import acts, attesting, confirmations, notices
from governance.consent.acts import Draft, NewConsent
from governance.consent.buried import keep_no
from governance.consent.kinds import CONSENT, NIGHT, REQUEST
from governance.consent.model import ALL, OUTSIDE_CATALOGUE
from governance.consent.outcomes import ConsentOutcome, outcome, payload_of
from governance.consent.projection import ConsentEvent, kind_of_grant
from governance.consent.proof import check_method, is_act, is_explicit, is_guardian, is_proven
from governance.consent.recording import append
from governance.consent.suppression_store import StoredBar
from governance.errors import ConflictError, InvalidError
from governance.happened import happened_at
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.identifiers import CHANNEL_POINT_TYPE, Identifier
from governance.subjects.lookups import read_value
from governance.subjects.model import ContactPoint, Subject
from governance.work import Snapshot, Work


def record(work: Work, new: NewConsent) -> ConsentOutcome:
    """Record an act of consent: a request, a grant, a refusal or a withdrawal.

    Raises InvalidError for what makes no sense (unknown purpose, status, method, channel; a notice that does
    not exist), NotFoundError for an unknown person, ConflictError for a yes of a person who is erased or
    being erased, or from before an erasure (`erased`). A withdrawal or refusal of a known purpose is never
    refused for any other reason; that of an erased person bars the addresses.
    """
    status = acts.check_status(new.status)
    if status in ("refused", "withdrawn"):
        return _no(work, new, status)
    return _yes(work, new, status)


def withdraw(
    work: Work,
    subject_ref: str,
    *,
    purpose: str | None,
    channel: str | None = None,
    topic: str | None = None,
    controller: str | None = None,
    point_ref: str | None = None,
    method: str = "unsubscribe_link",
    evidence: Mapping[str, object] | None = None,
) -> ConsentOutcome:
    """Withdraw, for links and replies that know the contact point by reference; `None` means all."""
    person = living(work, subject_ref)
    used_hash = None
    if point_ref is not None:
        refs = dict.fromkeys((subject_ref, person.subject_ref))
        known = {point.point_ref: point for ref in refs for point in subjects.points(work, ref)}
        used_hash = known[point_ref].suppression_hash if point_ref in known else None
    new = NewConsent(
        person.subject_ref,
        purpose,
        "withdrawn",
        method,
        channel=channel,
        topic=topic,
        controller=controller,
        evidence=evidence,
    )
    return _no(work, new, "withdrawn", person=person, used_hash=used_hash)


def living(work: Work, subject_ref: str) -> Subject:
    """Lock a person, or the one it was merged into (a link may still name the record merged away)."""
    person = subjects.lock(work, subject_ref)
    while person.merged_into is not None:
        person = subjects.lock(work, person.merged_into)
    return person


def check_purpose(snap: Snapshot, purpose: str | None) -> tuple[str, int | None]:
    """Return a purpose's id and version ('' and None for all); InvalidError names the known ones."""
    if purpose is None or purpose == ALL:
        return ALL, None
    found = purposes.find(snap, purpose)
    if found is not None:
        return found.purpose_id, found.version
    if purpose in OUTSIDE_CATALOGUE:
        return purpose, None
    known = ", ".join(sorted(each.purpose_id for each in purposes.every(snap))) or "none yet"
    raise InvalidError(
        f"This purpose is not in the catalogue. Known purposes: {known}.",
        fields={"purpose": [f"Use one of: {known}."]},
    )


def used_point_hash(
    snap: Snapshot, person: Subject, point: Identifier | None, channel: str | None
) -> str | None:
    """The keyed hash of the contact point that a no came from; None if it is none that can be read.

    It need not be one of the person's: whoever holds the address has used it to say no. If none is named, it
    was the person's only open one of that channel, where there is just one.
    """
    if point is None:
        reached = [
            each
            for each in subjects.points(snap, person.subject_ref)
            if channel and is_reached(each, channel)
        ]
        return reached[0].suppression_hash if len(reached) == 1 else None
    try:
        return read_value(snap, point, person.country).suppression_hash
    except InvalidError:
        return None


def bar_point(work: Work, events: Sequence[ConsentEvent], suppression_hash: str | None) -> None:
    """Bar the contact point that a no came from for everyone else who shares it."""
    if suppression_hash is None:
        return
    event = events[0]
    bar = StoredBar(
        suppression_hash=suppression_hash,
        suppression_id=work.new_id("sup"),
        scope="purpose",
        purpose=event.purpose,
        controller=event.controller,
        channel=event.channel,
        topic=event.topic,
        origin_subject_ref=event.subject_ref,
        reason=event.status,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        released_at=None,
        event_id=event.event_id,
    )
    attesting.keep(work, [bar])


def keep_late(work: Work, event: ConsentEvent, used_hash: str | None) -> None:
    """Let the addresses of a person who is erased bear what is told of them now."""
    keep_no(
        work,
        event.subject_ref,
        purpose=event.purpose,
        controller=event.controller,
        channel=event.channel,
        topic=event.topic,
        occurred_at=event.occurred_at,
        hashes=() if used_hash is None else (used_hash,),
    )


def _no(
    work: Work,
    new: NewConsent,
    status: str,
    *,
    person: Subject | None = None,
    used_hash: str | None = None,
) -> ConsentOutcome:
    person = person or living(work, new.subject_ref)
    purpose, version = check_purpose(work, new.purpose)
    method = check_method(new.method, negative=True)
    draft = Draft(
        consent_id=work.new_id("con"),
        kind=NIGHT if new.night else CONSENT,
        status=status,
        scope=status,
        method=method,
        by_person=is_act(method),
        occurred_at=acts.clamped(new.occurred_at, work.now),
        purpose=purpose,
        controller=acts.check_code("controller", new.controller),
        channel=acts.check_channel(new.channel),
        topic=acts.check_code("topic", new.topic),
        notice=notices.known(work, new.notice),
        guardian=is_guardian(new.guardian),
        purpose_version=version,
        payload=payload_of(new.evidence, new.guardian),
    )
    events = append(work, person.subject_ref, draft)
    if person.erased and not new.night:
        point = used_hash or used_point_hash(work, person, new.contact_point, None)
        keep_late(work, events[0], point)
        return outcome(work, events)
    # A no to the night says nothing about the day, for others who share the address least of all.
    if status == "withdrawn" and not new.night:
        bar_point(work, events, used_hash or used_point_hash(work, person, new.contact_point, new.channel))
    return outcome(work, events)


def _yes(work: Work, new: NewConsent, status: str) -> ConsentOutcome:
    purpose, version = check_purpose(work, new.purpose)
    if not purpose:
        complaint = "A consent is for a named purpose; only a no may be for all."
        raise InvalidError(complaint, fields={"purpose": [complaint]})
    channel = acts.check_channel(new.channel)
    if new.contact_point is not None:
        acts.check_point(channel, new.contact_point)
    if new.night and status == "requested":
        complaint = "A consent to the night is granted; it cannot wait for a confirmation."
        raise InvalidError(complaint, fields={"night": [complaint]})
    method = check_method(new.method, negative=False)
    occurred_at = happened_at(new.occurred_at, work.now)
    notice = notices.required(work, new.notice)
    expires_at = acts.check_expiry(new.expires_at, occurred_at)
    person = living(work, new.subject_ref)
    _check_may_consent(person)
    subjects.check_after_fence(work, person, new.occurred_at)
    by_person = is_act(method)
    proven = status == "granted" and is_proven(method, evidence=new.evidence)
    if proven and purposes.is_sensitive(work, purpose):
        proven = is_explicit(evidence=new.evidence, noticed=notice is not None)
    guardian = is_guardian(new.guardian)
    draft = Draft(
        consent_id=work.new_id("con"),
        kind=_kind_of_yes(new, status, proven=proven, by_person=by_person, guardian=guardian),
        status=status,
        scope=status,
        method=method,
        by_person=by_person,
        occurred_at=occurred_at,
        purpose=purpose,
        controller=acts.check_code("controller", new.controller),
        channel=channel,
        topic=acts.check_code("topic", new.topic),
        point_refs=_points(work, person, channel, new.contact_point),
        proven=proven,
        double_opt_in=new.double_opt_in,
        # A sign-up waits no longer than its confirmation does; the grant's own end comes with the
        # confirmation.
        expires_at=work.now + acts.CONFIRMATION_TERM if status == "requested" else expires_at,
        notice=notice,
        guardian=guardian,
        purpose_version=version,
        payload=payload_of(new.evidence, new.guardian),
    )
    events = append(work, person.subject_ref, draft)
    waiting = None
    if status == "requested" and new.double_opt_in:
        waiting = confirmations.open_for(work, events[0], grant_expires_at=expires_at)
    return outcome(work, events, waiting)


def _kind_of_yes(new: NewConsent, status: str, *, proven: bool, by_person: bool, guardian: bool) -> str:
    if status == "requested":
        return REQUEST
    return NIGHT if new.night else kind_of_grant(proven=proven, by_person=by_person, guardian=guardian)


def _points(work: Work, person: Subject, channel: str, named: Identifier | None) -> tuple[str, ...]:
    """The contact points that a yes attaches to: the named one, or every open one that the channel reaches.

    Without a named point it also attaches to the channel itself, for a person whose points are not known
    here.
    """
    if named is not None:
        point = subjects.ensure_point(work, person.subject_ref, named.type, named.value)
        return (point.point_ref,)
    reached = [
        point.point_ref for point in subjects.points(work, person.subject_ref) if is_reached(point, channel)
    ]
    return (ALL, *reached)


def is_reached(point: ContactPoint, channel: str) -> bool:
    """Whether an open contact point can be reached on the channel ('' is any)."""
    return point.state == "open" and (not channel or CHANNEL_POINT_TYPE[channel] == point.type)


def _check_may_consent(person: Subject) -> None:
    if person.erased:
        raise ConflictError(
            "This person was erased; an act of the person starts afresh with `POST /v1/captures`.",
            reason="resurrection-blocked",
        )
    if person.erasure_pending:
        raise ConflictError(
            "This person's erasure is under way; nothing new may be based on consent.",
            reason="erasure-pending",
        )
