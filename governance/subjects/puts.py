"""Creating and updating data subjects as the CRM tells them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from governance.database import is_sqlite
from governance.events import RECORD, Fact
from governance.subjects import attesting, point_store, store, tombstone_store
from governance.subjects.changes import (
    BLANK,
    NO_PLAN,
    PointPlan,
    changed_columns,
    check_not_frozen,
    check_opening,
    named_columns,
    plan_points,
    read_identifiers,
)
from governance.subjects.lookups import find_for_change
from governance.subjects.model import (
    RELATIONSHIP,
    Absent,
    ContactPoint,
    PointValue,
    PutOutcome,
    Subject,
    SubjectChange,
    check_external_id,
)
from governance.subjects.sealing import (
    EXTERNAL_ID,
    external_id_hash,
    hold,
    indexed,
    new_point,
    reveal_text,
    seal_text,
)
from governance.subjects.tombstones import being_erased, fence_of, frozen_as, matching
from governance.vault.held import HeldKeys
from governance.vault.model import Place
from governance.work import Work


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who is about to be created. `change` is checked, `values` have their hashes."""

    subject_ref: str
    external_id: str
    change: SubjectChange
    values: Sequence[PointValue]


def put(
    work: Work,
    external_id: str,
    change: SubjectChange,
    *,
    by_act: bool = False,
    acted_at: datetime | None = None,
) -> PutOutcome:
    """Create or update the person of this CRM id; an id that was merged away means the surviving person.

    Values of an erased person are blocked (a returned outcome with an event), unless the data comes from an
    act of the person (`by_act`: inquiry, consent, contract, request, complaint) done (`acted_at`, now if
    absent) after the fence of the erasure, which starts afresh.
    Raises InvalidError for what cannot be, ConflictError `use-transition` for another relationship stage,
    `erasure-pending` for a change of somebody who is being erased (an act may change what adds no value), and
    for a new record, or a sync of a known one, that brings an address of theirs.
    """
    check_external_id(external_id)
    checked = change.checked(work.now)
    current = find_for_change(work, external_id)
    if current is not None and current.erased:
        if not by_act or (acted_at is not None and acted_at <= current.updated_at):
            return blocked(work, [EXTERNAL_ID], current.subject_ref)
        work.touch(*store.release_external_id(work.connection, work.tenant_id, external_id))
        current = None
    if current is not None:
        if by_act and acted_at is not None and acted_at < work.now:
            fence = fence_of(work, current.subject_ref)
            if fence is not None and acted_at <= fence:
                return blocked(work, [EXTERNAL_ID], current.subject_ref)
        known = point_store.of(work.connection, work.tenant_id, current.subject_ref)
        return update_known(work, current, known, checked, by_act=by_act, acted_at=acted_at)
    arrival = prepare(work, external_id, checked)
    if by_act and acted_at is None:
        matches = {}  # done now, and what is erased was erased before
    else:
        matches = tombstones_of(work, [arrival], acted_at)
    if (match := matches.get(external_id)) is not None:
        return blocked(work, *match)
    if frozen_as(work, arrival.values, lock=True) is not None:
        raise being_erased()
    if not create(work, [arrival]):
        return put(work, external_id, change, by_act=by_act, acted_at=acted_at)
    return PutOutcome(arrival.subject_ref, created=True)


def prepare(work: Work, external_id: str, checked: SubjectChange) -> Arrival:
    """Read the identifiers of a new person and give them hashes; InvalidError for one that cannot be."""
    country = checked.country if isinstance(checked.country, str) else None
    values = indexed(work, read_identifiers(checked.identifiers, country))
    return Arrival(work.new_id("sub"), external_id, checked, values)


def tombstones_of(
    work: Work, arrivals: Sequence[Arrival], acted_at: datetime | None = None
) -> dict[str, tuple[list[str], str]]:
    """Which arrivals carry an erased person's id or value: external id -> (types, whose they were).

    With `acted_at` only those of persons whose fence is not before that.
    """
    if not tombstone_store.any_there(work.connection, work.tenant_id):
        return {}
    hashes = {
        arrival.external_id: [
            external_id_hash(work, arrival.external_id),
            *(value.suppression_hash for value in arrival.values),
        ]
        for arrival in arrivals
    }
    every = [each for listed in hashes.values() for each in listed]
    buried = {
        key: each for key, each in matching(work, every).items() if acted_at is None or acted_at <= each.since
    }
    matches: dict[str, tuple[list[str], str]] = {}
    for external_id, listed in hashes.items():
        found = [buried[each] for each in listed if each in buried]
        if found:
            matches[external_id] = (sorted({each.type for each in found}), found[0].subject_ref)
    return matches


def create(work: Work, arrivals: Sequence[Arrival]) -> bool:
    """Insert new persons with points and opening stages, an event each.

    False, with nothing done, if another transaction took one of the CRM ids meanwhile (PostgreSQL only: on
    SQLite a unit of work is alone).
    """
    keys = _keys_for(work, arrivals)
    rows = _rows(work, arrivals, keys)
    if is_sqlite(work.connection):
        store.add(work.connection, rows)
    else:
        try:
            with work.connection.begin_nested():
                store.add(work.connection, rows)
        except sa.exc.IntegrityError:
            return False
    points = [[new_point(work, keys, each.subject_ref, value) for value in each.values] for each in arrivals]
    if any(points):
        point_store.add(work.connection, work.tenant_id, [point for of_one in points for point in of_one])
    stages = []
    for arrival, row, of_one in zip(arrivals, rows, points, strict=True):
        event_id, stage = work.new_id("evt"), arrival.change.relationship
        opening = {} if stage is None else {RELATIONSHIP: (stage, work.now, event_id)}
        facts = {**_facts(arrival), RECORD: attesting.state_of(work, row, of_one, opening)}
        work.record("subject.created", subject_ref=arrival.subject_ref, facts=facts, event_id=event_id)
        stages += [
            {"subject_ref": arrival.subject_ref, "model": model, "stage": name, "since": at, "event_id": by}
            for model, (name, at, by) in opening.items()
        ]
    if stages:
        store.add_stages(work.connection, work.tenant_id, stages)
    return True


def update_known(
    work: Work,
    current: Subject,
    known: Sequence[ContactPoint],
    checked: SubjectChange,
    *,
    by_act: bool = False,
    acted_at: datetime | None = None,
) -> PutOutcome:
    """Apply a checked change to somebody who is known and locked; nothing is written if nothing differs.

    `by_act`, `acted_at`: as `put` has them.
    """
    check_opening(current, checked)
    columns = changed_columns(current, checked)
    plan = NO_PLAN
    if not isinstance(checked.identifiers, Absent):
        country = columns.get("country", current.country)
        values = read_identifiers(checked.identifiers, country if isinstance(country, str) else None)
        plan = plan_points(known, indexed(work, values), replace=True)
    if plan.add and (not by_act or acted_at is not None):
        buried = matching(work, [value.suppression_hash for value in plan.add]).values()
        barring = {each.type for each in buried if acted_at is None or acted_at <= each.since}
        if barring:
            return blocked(work, sorted(barring), current.subject_ref)
    columns |= _sealed_columns(work, current, checked)
    if plan.add and not by_act and frozen_as(work, plan.add, lock=True) is not None:
        raise being_erased()
    if not columns and plan.is_empty:
        return PutOutcome(current.subject_ref, created=False, changed=False)
    if plan.add or not by_act:
        check_not_frozen(current)
    store.update(work.connection, work.tenant_id, current.subject_ref, {**columns, "updated_at": work.now})
    carry_out(work, current.subject_ref, plan)
    work.record(
        "subject.updated",
        subject_ref=current.subject_ref,
        facts={
            "changed": sorted(name.removesuffix("_sealed") for name in columns),
            "points_added": len(plan.add),
            "points_closed": plan.closed,
            "points_reopened": plan.reopened,
        },
    )
    return PutOutcome(current.subject_ref, created=False)


def carry_out(work: Work, subject_ref: str, plan: PointPlan) -> list[ContactPoint]:
    """Write a plan for a person's contact points; the caller records the event. Gives the added ones."""
    work.touch(subject_ref)
    for point_ref, columns in plan.amend.items():
        since = {"since": work.now} if "state" in columns else {}
        point_store.update(work.connection, work.tenant_id, subject_ref, point_ref, {**columns, **since})
    if not plan.add:
        return []
    keys = hold(work, [subject_ref])
    added = [new_point(work, keys, subject_ref, value) for value in plan.add]
    point_store.add(work.connection, work.tenant_id, added)
    return added


def blocked(work: Work, matched: list[str], erased_ref: str) -> PutOutcome:
    """Leave a trace of the attempt and nothing else."""
    work.record("subject.resurrection_blocked", subject_ref=erased_ref, facts={"matched": matched})
    return PutOutcome("", created=False, blocked=True, changed=False)


def _rows(work: Work, arrivals: Sequence[Arrival], keys: HeldKeys) -> list[dict[str, object]]:
    """The rows of new persons."""
    return [
        {
            **BLANK,
            **named_columns(each.change),
            **_sealed_columns(work, each, each.change, keys),
            "tenant_id": work.tenant_id,
            "subject_ref": each.subject_ref,
            "external_id": each.external_id,
            "stage_relationship": each.change.relationship,
            "stage_since": None if each.change.relationship is None else work.now,
            "created_at": work.now,
            "updated_at": work.now,
        }
        for each in arrivals
    ]


def _keys_for(work: Work, arrivals: Sequence[Arrival]) -> HeldKeys:
    """Keys for new persons, made in one go, and only for those of whom something is sealed."""
    refs = [
        each.subject_ref
        for each in arrivals
        if each.values or _named(each.change.birth_date) or _named(each.change.source_url)
    ]
    return hold(work, refs, make=True)


def _named(member: object) -> bool:
    return member is not None and not isinstance(member, Absent)


def _sealed_columns(
    work: Work, person: Subject | Arrival, change: SubjectChange, keys: HeldKeys | None = None
) -> dict[str, object]:
    """The sealed columns that a change gives another value."""
    born = change.birth_date
    sent = {
        "birth_date_sealed": born if born is None or isinstance(born, Absent) else born.isoformat(),
        "source_url_sealed": change.source_url,
    }
    ref = person.subject_ref
    columns: dict[str, object] = {}
    for column, value in sent.items():
        kept = getattr(person, column) if isinstance(person, Subject) else None
        if isinstance(value, Absent) or (value is None and kept is None):
            continue
        keys = keys or hold(work, [ref])
        place = Place("subject", column, ref)
        if kept is None or value != reveal_text(keys, ref, place, kept):
            columns[column] = None if value is None else seal_text(keys, ref, place, value)
    return columns


def _facts(arrival: Arrival) -> dict[str, Fact]:
    """What the ledger keeps of a creation: counts and codes."""
    change = arrival.change
    facts: dict[str, Fact] = {"points": len(arrival.values)}
    if change.relationship is not None:
        facts["relationship_asserted"] = change.relationship
    for name in ("acquired", "capture_point", "source_channel"):
        value = getattr(change, name)
        if _named(value):
            facts[name] = value
    return facts
