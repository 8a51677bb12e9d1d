"""Rectification: staff decide what is put right; it is written here at once, and every recipient is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from governance.errors import ConflictError, InvalidError
from governance.events import Fact
from governance.rights import own_values, recipients, sealing
from governance.rights import recipient_store as store
from governance.rights.attributes import check_names
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.execution import people_of
from governance.rights.model import IN_PROGRESS, RECTIFICATION
from governance.rights.own_values import Correction
from governance.systems import service as systems
from governance.systems.model import CORRECT, Change
from governance.work import Snapshot, Work


@dataclass(frozen=True, slots=True)
class Corrected:
    """What came of it. `refusal`: why it could not be done (that is recorded); None if it was.

    `not_so_here`: names of what was left here, since it is something else than `was`.
    """

    dossier: Dossier
    refusal: str | None = None
    not_so_here: tuple[str, ...] = ()


def correct(work: Work, request_id: str, wanted: Sequence[Correction]) -> Corrected:
    """Put values right for the people whom a rectification was proved to mean, and have recipients told.

    Until all have answered more may be put right, a slip too: whoever is concerned is told anew, everything
    in its order. ConflictError `not-a-correction`, `not-now`, `not-verified`; `not-so` where something is not
    as `was` says and no system is told either; InvalidError for a value that cannot be, and for a name that
    means nothing anywhere. Where a record was merged meanwhile it has to be verified anew (`refusal`).
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
    own_values.check_values(work.now, wanted)
    left = [own_values.write(work, ref, wanted) for ref in people]
    not_so = sorted({each.name for each in wanted if left and all(each in one for one in left)})
    if not_so and not systems.every(work):
        raise ConflictError(f"Not as `was` says: {', '.join(not_so)}. Look it up again.", reason="not-so")
    facts: dict[str, Fact] = {
        "names": sorted({each.name for each in wanted}),
        "people": len(people),
        "not_so": not_so,
    }
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
    return Corrected(open_dossier(work, request_id), not_so_here=tuple(not_so))


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


__all__ = ["Corrected", "Correction", "changes_for", "correct"]
