"""How consent events become consent state. Pure: `fold(events)` is what the stored state must equal.

Each event touches one cell. In a cell
- a no replaces the no before it and keeps the greatest sequence and instant of both;
- of several yeses the one that *happened* last stands (at equal instants the one recorded last);
- a grant that others claim never displaces a proven claim unless it is proven itself;
- a released objection or suppression counts as if it had never been said (the release itself stays recorded);
- `voided` (a merge away, a split) takes the person's yeses before it out of force, never a no.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from governance.consent.kinds import CLAIM, CONSENT, GUARDIAN
from governance.consent.model import Cell

Place = tuple[str, str, str, str, str, str]
"""purpose, controller, channel, topic, point_ref, kind"""

POSITIVE = frozenset({"requested", "granted", "confirmed"})
NEGATIVE = frozenset({"refused", "withdrawn", "objected", "suppressed"})
RETROACTIVE = frozenset({"released", "voided"})
"""What changes the weight of earlier events, so that the state must be folded anew."""

STATUSES = POSITIVE | NEGATIVE | RETROACTIVE
"""What an event may say. `confirmed` is a grant that ended a double opt-in."""


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One act, as it was recorded; never changed. `seq` counts per person and orders as the ledger does.

    `kind`: the kind of cell it touches. `scope`: of objections and suppressions (`marketing`, `purpose`, …),
    else the status. `consent_id`: the act's own id (con_, obj_, sup_); a release carries the id of what it
    releases. A `voided` event takes out of force what was `merged_from` the person it names, or every yes if
    it names none.
    `guardian`: whether a guardian acted for the person, named and verified. `merged_from`: the person whose
    act it was before a merge.
    """

    subject_ref: str
    seq: int
    consent_id: str
    kind: str
    purpose: str
    controller: str
    channel: str
    topic: str
    point_ref: str
    status: str
    scope: str
    method: str
    by_person: bool
    proven: bool
    double_opt_in: bool
    occurred_at: datetime
    recorded_at: datetime
    event_id: str
    expires_at: datetime | None = None
    notice_id: str | None = None
    notice_version: str | None = None
    notice_language: str | None = None
    guardian: bool = False
    purpose_version: int | None = None
    merged_from: str | None = None
    reason: str | None = None

    @property
    def place(self) -> Place:
        """The cell that the event touches."""
        return (self.purpose, self.controller, self.channel, self.topic, self.point_ref, self.kind)


def kind_of_grant(*, proven: bool, by_person: bool, guardian: bool = False) -> str:
    """The kind of cell a grant belongs to: a proven act of the person or guardian, or somebody's claim."""
    if not (proven and by_person):
        return CLAIM
    return GUARDIAN if guardian else CONSENT


def apply(cells: Mapping[Place, Cell], event: ConsentEvent) -> Cell | None:
    """Give the cell as it is after the event, or None if the event is retroactive (fold anew)."""
    if event.status in RETROACTIVE:
        return None
    old = cells.get(event.place) or Cell(*event.place)
    if event.status in NEGATIVE:
        return replace(
            old,
            neg_status=event.scope,
            neg_seq=event.seq,
            neg_at=max(old.neg_at, event.occurred_at) if old.neg_at else event.occurred_at,
            neg_event_id=event.event_id,
        )
    status = "requested" if event.status == "requested" else "granted" if event.proven else "unproven"
    if not _displaces(status, event, old):
        return old
    return replace(
        old,
        pos_status=status,
        pos_seq=event.seq,
        pos_at=event.occurred_at,
        pos_by_person=event.by_person,
        pos_expires_at=event.expires_at,
        pos_event_id=event.event_id,
    )


def _displaces(status: str, event: ConsentEvent, old: Cell) -> bool:
    if old.pos_status is None or old.pos_at is None:
        return True
    if status != old.pos_status:
        return status == "granted"
    return event.occurred_at >= old.pos_at


def in_force(events: Iterable[ConsentEvent]) -> list[ConsentEvent]:
    """Give the events that count, in sequence.

    Without what was released or voided, and without the acts of doing so.
    """
    ordered = sorted(events, key=lambda event: event.seq)
    released = {event.consent_id for event in ordered if event.status == "released"}
    voids = [event for event in ordered if event.status == "voided"]
    return [
        event
        for event in ordered
        if event.status not in RETROACTIVE
        and not (event.status in ("objected", "suppressed") and event.consent_id in released)
        and not (event.status in POSITIVE and any(_voids(void, event) for void in voids))
    ]


def fold(events: Iterable[ConsentEvent]) -> dict[Place, Cell]:
    """Rebuild the whole state of one person from all its events."""
    cells: dict[Place, Cell] = {}
    for event in in_force(events):
        cell = apply(cells, event)
        if cell is not None:
            cells[event.place] = cell
    return cells


def _voids(void: ConsentEvent, event: ConsentEvent) -> bool:
    return void.seq > event.seq and void.merged_from in (None, event.merged_from)


def changed(before: Mapping[Place, Cell], after: Mapping[Place, Cell]) -> tuple[list[Cell], list[Place]]:
    """Give the cells to write and the places to remove to get from one state to the other."""
    written = [cell for place, cell in after.items() if before.get(place) != cell]
    return written, [place for place in before if place not in after]
