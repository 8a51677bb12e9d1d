"""What a merge and a split do to consent histories. Pure.

Merge: the acts of the record merged away are repeated, in their order, at the end of the survivor's history.
So its noes are later than every yes of the survivor, and beat them. Its yeses could be later than noes of the
survivor; where one would lift a no that stands there, it is carried over as a claim, which lifts nothing. The
result is never more permissive than either record was.

Split: the record that leaves takes every no of both with it and no yes; what the survivor had been lent in
yeses goes out of force. Neither side gains anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from governance.consent.kinds import ACT_KINDS, CLAIM, CONSENT, NIGHT, OBJECTION, PROFILING
from governance.consent.model import ALL, Cell
from governance.consent.projection import NEGATIVE, ConsentEvent, Place, in_force
from governance.consent.resolving import is_later

_NOES = (CONSENT, NIGHT, OBJECTION, PROFILING)
_LIFTING = ACT_KINDS | {NIGHT}


def carried(
    events: Sequence[ConsentEvent],
    into_cells: Mapping[Place, Cell],
    *,
    from_ref: str,
    into_ref: str,
    points: Mapping[str, str],
    seq: int,
    now: datetime,
    event_id: str,
) -> list[ConsentEvent]:
    """Give the events that a merge adds to the survivor's history, from `seq` on.

    `into_cells`: the survivor's state before the merge; `points`: what became of the contact points.
    """
    added: list[ConsentEvent] = []
    for event in in_force(events):
        copy = replace(
            event,
            subject_ref=into_ref,
            seq=seq + len(added),
            point_ref=points.get(event.point_ref, event.point_ref),
            recorded_at=now,
            event_id=event_id,
            merged_from=from_ref,
        )
        if copy.status not in NEGATIVE and copy.kind in _LIFTING and _would_lift(copy, into_cells):
            copy = replace(copy, kind=NIGHT if copy.kind == NIGHT else CLAIM, by_person=False)
        added.append(copy)
    return added


def taken_along(
    events: Sequence[ConsentEvent],
    known: Sequence[ConsentEvent],
    *,
    subject_ref: str,
    from_ref: str,
    seq: int,
    now: datetime,
    event_id: str,
) -> list[ConsentEvent]:
    """Give the noes of the survivor's history that the leaving record does not have itself, from `seq` on."""
    own = {event.consent_id for event in in_force(known)}
    added: list[ConsentEvent] = []
    for event in in_force(events):
        if event.status in NEGATIVE and event.consent_id not in own:
            copy = replace(
                event,
                subject_ref=subject_ref,
                seq=seq + len(added),
                recorded_at=now,
                event_id=event_id,
                merged_from=from_ref,
            )
            added.append(copy)
    return added


def voiding(
    subject_ref: str, *, consent_id: str, of_ref: str | None, seq: int, now: datetime, event_id: str
) -> ConsentEvent:
    """Give the event that takes yeses out of force: those lent by `of_ref`, or all if that is None."""
    return ConsentEvent(
        subject_ref=subject_ref,
        seq=seq,
        consent_id=consent_id,
        kind=CONSENT,
        purpose=ALL,
        controller=ALL,
        channel=ALL,
        topic=ALL,
        point_ref=ALL,
        status="voided",
        scope="voided",
        method="other",
        by_person=False,
        proven=False,
        double_opt_in=False,
        occurred_at=now,
        recorded_at=now,
        event_id=event_id,
        merged_from=of_ref,
    )


def _would_lift(grant: ConsentEvent, cells: Mapping[Place, Cell]) -> bool:
    """Whether the grant would lift a no of these cells that stands where the grant speaks."""
    return any(
        cell.kind in _NOES
        and cell.neg_at is not None
        and _meets(cell, grant)
        and grant.occurred_at > cell.neg_at
        and not any(_lifts(act, cell, grant) for act in cells.values())
        for cell in cells.values()
    )


def _meets(cell: Cell, grant: ConsentEvent) -> bool:
    """Whether a no and a grant have a question in common."""
    return all(
        mine in (ALL, theirs) or theirs == ALL
        for mine, theirs in (
            (cell.purpose, grant.purpose),
            (cell.controller, grant.controller),
            (cell.channel, grant.channel),
            (cell.topic, grant.topic),
        )
    )


def _lifts(act: Cell, no: Cell, grant: ConsentEvent) -> bool:
    """Whether an act of the survivor's own has lifted the no wherever the grant speaks."""
    return (
        act.kind in ACT_KINDS
        and act.pos_status == "granted"
        and act.pos_by_person
        and _lasts(act, grant)
        and is_later(act, no)
        and act.point_ref == grant.point_ref
        and act.purpose in (ALL, grant.purpose)
        and act.controller in (ALL, grant.controller)
        and act.channel in (ALL, grant.channel)
        and act.topic in (ALL, grant.topic)
        and not (no.kind == PROFILING and act.purpose != "profiling")
    )


def _lasts(act: Cell, grant: ConsentEvent) -> bool:
    """Whether the act holds as long as the grant: nothing may outlive what allowed it."""
    if act.pos_expires_at is None:
        return True
    return grant.expires_at is not None and act.pos_expires_at >= grant.expires_at
