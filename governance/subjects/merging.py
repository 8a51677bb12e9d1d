"""Two records of one person become one, and may part again. Consents are the consent room's own matter.

The record that is merged away keeps its row and its relationship events; it points at the survivor, which
gets its contact points, the union of its standing and, where it knew nothing itself, its attributes and
stages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from governance.errors import ConflictError, InvalidError
from governance.subjects import point_store, store
from governance.subjects.changes import check_not_frozen
from governance.subjects.lookups import group, lock, lock_with_addresses, points
from governance.subjects.model import ACQUIRED, ContactPoint, Subject
from governance.subjects.relations import standing_from
from governance.subjects.sealing import handed_over, hold, reveal_text, seal_text
from governance.vault.held import HeldKeys
from governance.vault.model import Place
from governance.work import Work

_FILLED = ("country", "time_zone", "language", "customer_type", "capture_point", "source_channel")
_FLAGS = ("restricted", "erasure_pending", "held")
_SEALED = ("birth_date_sealed", "source_url_sealed")
_WARY = ("acquired_list", "third_party", "unknown", "import", "person")
assert set(_WARY) == set(ACQUIRED)


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the contact points: for each that moved, the one that now stands for it."""

    into_ref: str
    points: Mapping[str, str]


def move_to(work: Work, from_ref: str, into_ref: str) -> Merged:
    """Merge the record `from_ref` into `into_ref`; whatever differs takes the warier of the two.

    Raises InvalidError for a record and itself, NotFoundError for an unknown one, ConflictError
    `already-merged`, `erased`, or `erasure-pending` for somebody who is being erased.
    """
    if from_ref == into_ref:
        raise InvalidError("A record cannot be merged into itself; name another person in `into`.")
    gone, stays = _both(work, from_ref, into_ref)
    _check_apart(gone, stays)
    keys = hold(work, [from_ref, into_ref])
    mapping = _move_points(work, keys, points(work, from_ref), points(work, into_ref), into_ref)
    work.touch(from_ref, into_ref, *store.members(work.connection, work.tenant_id, from_ref))
    store.redirect(work.connection, work.tenant_id, from_ref, into_ref)
    store.update(work.connection, work.tenant_id, from_ref, {"merged_into": into_ref, "updated_at": work.now})
    event = work.record(
        "subject.merged", subject_ref=from_ref, facts={"into": into_ref, "points": len(mapping)}
    )
    columns = {**_union(gone, stays), **_standing(work, into_ref), **_taken_secrets(keys, gone, stays)}
    store.update(work.connection, work.tenant_id, into_ref, {**columns, "updated_at": work.now})
    known = store.stages(work.connection, work.tenant_id, into_ref)
    for model, (stage, since, _) in store.stages(work.connection, work.tenant_id, from_ref).items():
        if model not in known:
            store.put_stage(
                work.connection,
                work.tenant_id,
                into_ref,
                model=model,
                stage=stage,
                since=since,
                event_id=event.id,
            )
    return Merged(into_ref, mapping)


def split(work: Work, from_ref: str, *, point_refs: Sequence[str] | None = None) -> Merged:
    """Undo the merge of `from_ref`: it stands for itself again, with the contact points that came from it.

    `point_refs` names the points to take instead. Restriction, hold and pending erasure stay on both: nothing
    is given back that was taken. Raises ConflictError `not-merged`, `erasure-pending` while the person is
    being erased; InvalidError for a point that is not the survivor's.
    """
    gone = lock(work, from_ref)
    if gone.merged_into is None:
        raise ConflictError("This record was not merged into another.", reason="not-merged")
    gone, stays = _both(work, from_ref, gone.merged_into)
    check_not_frozen(stays)
    held = points(work, stays.subject_ref)
    if point_refs is None:
        leaving = [point for point in held if point.origin_ref == from_ref]
    else:
        leaving = [point for point in held if point.point_ref in set(point_refs)]
        if len(leaving) != len(set(point_refs)):
            raise InvalidError("Name only contact points that the merged person has.")
    work.touch(from_ref, stays.subject_ref)
    keys = hold(work, [from_ref, stays.subject_ref])
    _align(work, points(work, from_ref), held)
    mapping = _move_points(work, keys, leaving, points(work, from_ref), from_ref)
    flags = {name: getattr(gone, name) or getattr(stays, name) for name in _FLAGS}
    released = {**flags, "merged_into": None, "updated_at": work.now}
    store.update(work.connection, work.tenant_id, from_ref, released)
    for ref in (from_ref, stays.subject_ref):
        columns = {**_standing(work, ref), "updated_at": work.now}
        store.update(work.connection, work.tenant_id, ref, columns)
    work.record(
        "subject.split", subject_ref=from_ref, facts={"from": stays.subject_ref, "points": len(mapping)}
    )
    return Merged(from_ref, mapping)


def _both(work: Work, one: str, other: str) -> tuple[Subject, Subject]:
    """Lock two records with their addresses.

    First as whoever changes one does, who may yet want to share an address of the other: nobody waits for us
    then who has what we wait for.
    """
    refs = sorted((one, other))
    for ref in refs:
        lock(work, ref)
    locked = {ref: lock_with_addresses(work, ref) for ref in refs}
    return locked[one], locked[other]


def _check_apart(gone: Subject, stays: Subject) -> None:
    if gone.merged_into is not None or stays.merged_into is not None:
        raise ConflictError("A record was merged already; merge the survivors.", reason="already-merged")
    if gone.erased or stays.erased:
        raise ConflictError("An erased person cannot be merged.", reason="erased")
    check_not_frozen(gone)
    check_not_frozen(stays)


def _move_points(
    work: Work,
    keys: HeldKeys,
    leaving: Sequence[ContactPoint],
    there: Sequence[ContactPoint],
    into_ref: str,
) -> dict[str, str]:
    """Give contact points to another record; one with the same value there stands for both."""
    known = {(point.type, point.blind_index): point for point in there}
    mapping = {}
    for point in leaving:
        twin = known.get((point.type, point.blind_index))
        mapping[point.point_ref] = point.point_ref if twin is None else twin.point_ref
        if twin is None:
            sealed = handed_over(work, keys, point, into_ref)
            moved = {"subject_ref": into_ref, "value_sealed": sealed}
            point_store.update(work.connection, work.tenant_id, point.subject_ref, point.point_ref, moved)
        elif (joint := _joint(point, twin)) != twin:
            columns = {"state": joint.state, "verified": joint.verified, "since": joint.since}
            point_store.update(work.connection, work.tenant_id, into_ref, twin.point_ref, columns)
    return mapping


def _align(work: Work, own: Sequence[ContactPoint], held: Sequence[ContactPoint]) -> None:
    """Let points that stood aside during the merge take the state that their twins have come to meanwhile."""
    twins = {(point.type, point.blind_index): point for point in held}
    for point in own:
        twin = twins.get((point.type, point.blind_index))
        if twin is not None and twin.state != point.state:
            state = {"state": twin.state, "since": twin.since}
            point_store.update(work.connection, work.tenant_id, point.subject_ref, point.point_ref, state)


def _joint(point: ContactPoint, twin: ContactPoint) -> ContactPoint:
    """One point for two of the same value: undeliverable if either is, else open if either is."""
    order = ("undeliverable", "open", "closed")
    state = min(point.state, twin.state, key=order.index)
    since = twin.since if state == twin.state else point.since
    return replace(twin, state=state, since=since, verified=point.verified or twin.verified)


def _union(gone: Subject, stays: Subject) -> dict[str, object]:
    """The survivor's attributes: its own, else the other's; every bar that either has; the warier source."""
    columns: dict[str, object] = {
        name: getattr(gone, name) for name in _FILLED if getattr(stays, name) is None
    }
    if stays.region is None and gone.country == (stays.country or gone.country):
        columns["region"] = gone.region
    if stays.organisation_id is None and stays.organisation_country is None:
        columns["organisation_id"] = gone.organisation_id
        columns["organisation_country"] = gone.organisation_country
    columns |= {name: getattr(stays, name) or getattr(gone, name) for name in _FLAGS}
    columns["acquired"] = min(stays.acquired, gone.acquired, key=_WARY.index)
    return columns


def _taken_secrets(keys: HeldKeys, gone: Subject, stays: Subject) -> dict[str, object]:
    """Sealed columns that only the record merged away has, sealed anew."""
    columns: dict[str, object] = {}
    for name in _SEALED:
        sealed = getattr(gone, name)
        if sealed is not None and getattr(stays, name) is None:
            text = reveal_text(keys, gone.subject_ref, Place("subject", name, gone.subject_ref), sealed)
            place = Place("subject", name, stays.subject_ref)
            columns[name] = seal_text(keys, stays.subject_ref, place, text)
    if "birth_date_sealed" in columns:
        columns["birth_month"] = gone.birth_month
    return columns


def _standing(work: Work, subject_ref: str) -> dict[str, object]:
    """Compute what follows from the events of all records that now are this person."""
    refs = group(work, subject_ref)
    return standing_from(point_store.happenings(work.connection, work.tenant_id, refs))
