"""What happened in a relationship: recorded once, and the standing row moved on."""

from datetime import datetime

from governance.clock import wire
from governance.errors import InvalidError, NotFoundError
from governance.events import ROW
from governance.happened import happened_at
from governance.subjects import attesting, point_store, store
from governance.subjects.identifiers import check_code
from governance.subjects.lookups import group, lock, points
from governance.subjects.model import RelationshipEvent, Subject
from governance.subjects.relations import EVENT_EFFECTS, check_event, columns_of, same_track, standing_from
from governance.subjects.sealing import hold, matter_of, reveal_text, seal_text
from governance.subjects.tombstones import check_after_fence
from governance.vault.model import Place
from governance.work import Snapshot, Work

_LONGEST_REFERENCE = 256


def record_event(
    work: Work,
    subject_ref: str,
    *,
    event: str,
    occurred_at: datetime | None = None,
    reference: str | None = None,
    product_family: str | None = None,
    point_ref: str | None = None,
    opt_out_offered: bool | None = None,
) -> RelationshipEvent:
    """Record something that happened (a purchase, the end of a contract) and what follows for standing.

    `occurred_at` is now if absent, and never later (see `happened_at`); anchors only move forward to the
    latest occurrence, however late an event is told. `reference` (of the contract, invoice, …) tells parallel
    matters apart and is sealed. Raises InvalidError for an unknown kind and for what has not happened yet,
    NotFoundError for an unknown person or contact point, ConflictError `erased` for what
    happened before an erasure of the person.
    """
    check_event(event)
    _check(reference, product_family)
    person = lock(work, subject_ref)
    check_after_fence(work, person, occurred_at)
    if point_ref is not None and all(point.point_ref != point_ref for point in points(work, subject_ref)):
        raise NotFoundError("This person has no such contact point.")
    happened_id = work.new_id("hap")
    occurred = happened_at(occurred_at, work.now)
    facts: dict[str, str | int | bool | list[str] | None] = {
        "event": event,
        "relationship_event": happened_id,
        "occurred_at": wire(occurred),
    }
    if product_family is not None:
        facts["product_family"] = product_family
    if opt_out_offered is not None:
        facts["opt_out_offered"] = opt_out_offered
    recorded = work.record("subject.event_recorded", subject_ref=subject_ref, facts=facts)
    happened = RelationshipEvent(
        subject_ref=subject_ref,
        relationship_event_id=happened_id,
        event=event,
        occurred_at=occurred,
        reference_sealed=_sealed(work, subject_ref, happened_id, reference),
        matter=matter_of(work, reference),
        product_family=product_family,
        point_ref=point_ref,
        opt_out_offered=opt_out_offered,
        event_id=recorded.id,
    )
    work.add_facts(recorded.id, {ROW: attesting.row_of(work, happened)})
    point_store.add_event(work.connection, work.tenant_id, happened)
    columns = _follows(work, person, happened)
    if columns:
        store.update(work.connection, work.tenant_id, subject_ref, {**columns, "updated_at": work.now})
        work.touch(subject_ref)
    return happened


def events(snap: Snapshot, subject_ref: str) -> list[RelationshipEvent]:
    """All relationship events of a person, those of merged records too, in the order of occurrence."""
    return point_store.events(snap.connection, snap.tenant_id, group(snap, subject_ref))


def reveal_reference(snap: Snapshot, happened: RelationshipEvent) -> str | None:
    """The reference that an event was sent with; UnreadableError once the person's key is destroyed."""
    if happened.reference_sealed is None:
        return None
    ref = happened.subject_ref
    place = _place(happened.relationship_event_id)
    return reveal_text(hold(snap, [ref]), ref, place, happened.reference_sealed)


def _check(reference: str | None, product_family: str | None) -> None:
    if reference is not None and not (0 < len(reference) <= _LONGEST_REFERENCE and reference.isprintable()):
        complaint = f"A reference is 1 to {_LONGEST_REFERENCE} printable characters."
        raise InvalidError(complaint, fields={"reference": [complaint]})
    if product_family is not None:
        check_code(product_family, "product_family")


def _follows(work: Work, person: Subject, happened: RelationshipEvent) -> dict[str, object]:
    """The standing columns that get another value, the new event among those of its track."""
    effect = EVENT_EFFECTS[happened.event]
    if effect.track is None and effect.anchor is not None:
        # An anchor alone needs no history: most events are purchases, and there may be thousands.
        before = getattr(person, effect.anchor)
        moves = before is None or before < happened.occurred_at
        return {effect.anchor: happened.occurred_at} if moves else {}
    refs = group(work, person.subject_ref)
    kinds = same_track(happened.event)
    standing = standing_from(point_store.happenings(work.connection, work.tenant_id, refs, kinds))
    columns = columns_of(happened.event)
    return {name: standing[name] for name in columns if standing[name] != getattr(person, name)}


def _sealed(work: Work, subject_ref: str, happened_id: str, reference: str | None) -> bytes | None:
    if reference is None:
        return None
    return seal_text(hold(work, [subject_ref]), subject_ref, _place(happened_id), reference)


def _place(happened_id: str) -> Place:
    return Place("relationship_event", "reference_sealed", happened_id)
