"""Merging two records of one person, and parting them again: the whole use case, people and consents."""

from collections.abc import Mapping

from governance.consent import carrying, notice_store, store, suppression_store
from governance.consent.projection import ConsentEvent, fold
from governance.consent.recording import write_state
from governance.subjects import service as subjects
from governance.subjects.merging import Merged
from governance.work import Work


def merge(work: Work, from_ref: str, into_ref: str, *, points: Mapping[str, str] | None = None) -> Merged:
    """Merge the record `from_ref` into `into_ref`; of two answers the less permissive one holds.

    Does the subjects' part too (and raises what `subjects.service.move_to` raises), unless the caller has
    done it and hands over what became of the contact points (`Merged.points`).
    """
    merged = subjects.move_to(work, from_ref, into_ref) if points is None else Merged(into_ref, points)
    given = store.events_of(work.connection, work.tenant_id, from_ref)
    event_id = work.new_id("evt")
    last = store.last_seq(work.connection, work.tenant_id, into_ref)
    added = carrying.carried(
        given,
        store.cells_of(work.connection, work.tenant_id, into_ref),
        from_ref=from_ref,
        into_ref=into_ref,
        points=merged.points,
        seq=last + 1,
        now=work.now,
        event_id=event_id,
    )
    work.record(
        "consent.merged",
        subject_ref=into_ref,
        facts={
            "from": from_ref,
            "sequence": last + 1,
            "count": len(added),
            "points_from": list(merged.points),
            "points_into": list(merged.points.values()),
        },
        event_id=event_id,
    )
    _extend(work, into_ref, added)
    _void(work, from_ref, of_ref=None)
    suppression_store.hand_over(work.connection, work.tenant_id, from_ref, into_ref)
    notice_store.hand_over_waiting(work.connection, work.tenant_id, from_ref, into_ref)
    return merged


def split(work: Work, from_ref: str, *, point_refs: list[str] | None = None) -> Merged:
    """Undo the merge of `from_ref`: it leaves with every no of both and no yes; the survivor gains nothing.

    Raises what `subjects.service.split` raises.
    """
    stays_ref = subjects.lock(work, from_ref).merged_into
    merged = subjects.split(work, from_ref, point_refs=point_refs)
    assert stays_ref is not None  # `subjects.split` refuses a record that was not merged
    lent = store.events_of(work.connection, work.tenant_id, stays_ref)
    own = store.events_of(work.connection, work.tenant_id, from_ref)
    event_id = work.new_id("evt")
    first = (own[-1].seq if own else 0) + 1
    added = carrying.taken_along(
        lent,
        own,
        subject_ref=from_ref,
        from_ref=stays_ref,
        seq=first,
        now=work.now,
        event_id=event_id,
    )
    work.record(
        "consent.split",
        subject_ref=from_ref,
        facts={"from": stays_ref, "sequence": first, "count": len(added)},
        event_id=event_id,
    )
    _extend(work, from_ref, added)
    _void(work, stays_ref, of_ref=from_ref)
    return merged


def _void(work: Work, subject_ref: str, *, of_ref: str | None) -> None:
    """Take yeses of a record out of force."""
    event_id = work.new_id("evt")
    last = store.last_seq(work.connection, work.tenant_id, subject_ref)
    void = carrying.voiding(
        subject_ref,
        consent_id=work.new_id("con"),
        of_ref=of_ref,
        seq=last + 1,
        now=work.now,
        event_id=event_id,
    )
    work.record(
        "consent.voided",
        subject_ref=subject_ref,
        facts={"act": void.consent_id, "sequence": void.seq, "of": of_ref},
        event_id=event_id,
    )
    _extend(work, subject_ref, [void])


def _extend(work: Work, subject_ref: str, added: list[ConsentEvent]) -> None:
    """Append events that follow from a merge or split, and fold the state anew."""
    store.add_events(work.connection, work.tenant_id, added)
    before = store.cells_of(work.connection, work.tenant_id, subject_ref)
    write_state(
        work, subject_ref, before, fold(store.events_of(work.connection, work.tenant_id, subject_ref))
    )
