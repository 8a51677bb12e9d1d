"""Rectification: staff decide what is put right; it is written here at once, and every recipient is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.errors import ConflictError, InvalidError
from governance.events import Fact
from governance.rights import recipient_store as store
from governance.rights import recipients, sealing
from governance.rights.attributes import OWN, check_names
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.execution import people_of
from governance.rights.model import IN_PROGRESS, RECTIFICATION
from governance.subjects import service as subjects
from governance.subjects.identifiers import POINT_TYPES, Identifier
from governance.subjects.model import SubjectChange
from governance.systems.model import CORRECT, Change
from governance.work import Snapshot, Work

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Correction:
    """One value to put right. `name`: an attribute (`email`, `family_name`), or `table.column` of `system`.

    With `was`, only what is still so is changed. Without `system`, everybody is told.
    """

    name: str
    value: Value = field(repr=False)
    was: Value = field(default=None, repr=False)
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """What came of it. `refusal`: why it could not be done (that is recorded); None if it was."""

    dossier: Dossier
    refusal: str | None = None


def correct(work: Work, request_id: str, wanted: Sequence[Correction]) -> Corrected:
    """Put values right for the people whom a rectification was proved to mean, and have recipients told.

    Until all have answered more may be put right, a slip too: whoever is concerned is told anew, everything
    in its order. ConflictError `not-a-correction`, `not-now`, `not-verified`; InvalidError for a value that
    cannot be, and for a name that means nothing anywhere. Where a record was merged meanwhile it has to be
    verified anew (`refusal`).
    """
    dossier = open_dossier(work, request_id)
    if dossier.request.type != RECTIFICATION:
        raise ConflictError("Only a rectification puts data right.", reason="not-a-correction")
    dossier, people = people_of(work, dossier)
    if people is None:
        return Corrected(dossier, "merged-since")
    if dossier.request.state != IN_PROGRESS:
        raise ConflictError("This request is not in progress.", reason="not-now")
    if not wanted:
        complaint = "Name at least one value to put right."
        raise InvalidError(complaint, fields={"changes": [complaint]})
    check_names(work, [(each.name, each.system) for each in wanted])
    for ref in people:
        _write_here(work, ref, [each for each in wanted if each.system is None])
    facts: dict[str, Fact] = {"names": sorted({each.name for each in wanted}), "people": len(people)}
    dossier = keep(work, dossier, "corrected", facts=facts, waits_for=recipients.WAITS)
    kept = [
        {"name": each.name, "value": each.value, "was": each.was, "system": each.system} for each in wanted
    ]
    before = _decided(work, request_id)
    place = recipients.changes_place(request_id)
    sealed = sealing.seal(work, request_id, place, {"changes": [*before, *kept]})
    store.put_changes(work.connection, work.tenant_id, request_id, sealed, work.now, dossier.request.event_id)
    if before:
        recipients.tell_again(work, dossier, CORRECT, _concerned(wanted))
    recipients.plan(work, dossier, people, CORRECT)
    return Corrected(open_dossier(work, request_id))


def changes_for(snap: Snapshot, request_id: str, system_id: str) -> tuple[Change, ...]:
    """What one system is told of a correction; empty if nothing of it is its business (any more)."""
    return tuple(
        Change(each["name"], each["value"], each["was"])
        for each in _decided(snap, request_id)
        if each["system"] in (None, system_id)
    )


def _decided(snap: Snapshot, request_id: str) -> list[dict[str, Any]]:
    """What was decided so far, in its order; nothing once it was forgotten."""
    found = store.changes(snap.connection, snap.tenant_id, request_id)
    if found is None:
        return []
    opened = sealing.reveal(snap, request_id, recipients.changes_place(request_id), found[0]) or {}
    return list(opened.get("changes", ()))


def _concerned(wanted: Sequence[Correction]) -> frozenset[str] | None:
    """The systems whose business these changes are; None: all."""
    named = {each.system for each in wanted}
    return None if None in named else frozenset(each for each in named if each is not None)


def _write_here(work: Work, subject_ref: str, wanted: Sequence[Correction]) -> None:
    """Write what this service keeps itself: attributes and contact points."""
    own: dict[str, Any] = {each.name: each.value for each in wanted if each.name in OWN}
    points = [each for each in wanted if each.name in POINT_TYPES]
    if points:
        own["identifiers"] = _points(work, subject_ref, points)
    person = subjects.find_by_ref(work, subject_ref)
    if own and person is not None and not person.erased:
        subjects.put(work, person.external_id, SubjectChange(**own), by_act=True)


def _points(work: Work, subject_ref: str, wanted: Sequence[Correction]) -> list[Identifier]:
    """The person's open contact points with those put right in place of what they were."""
    held = [
        Identifier(point.type, subjects.reveal_point(work, point), None, point.subscriber)
        for point in subjects.points(work, subject_ref)
        if point.state == "open"
    ]
    for each in wanted:
        new = None if each.value is None else Identifier(each.name, str(each.value))
        if each.was is not None:
            held = [one for one in held if (one.type, one.value) != (each.name, str(each.was))]
        if new is not None and (new.type, new.value) not in {(one.type, one.value) for one in held}:
            held.append(new)
    return held
