"""Who is not to be reached, as it stands: suppressions of people and of contact points, and objections."""

from dataclasses import dataclass
from datetime import datetime

from governance.consent import store, suppression_store
from governance.consent.projection import ConsentEvent, in_force
from governance.consent.suppression_store import StoredBar
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import read_value
from governance.work import Snapshot


@dataclass(frozen=True, slots=True)
class Suppression:
    """A suppression as it stands or stood. `scope` is `purpose` for what a withdrawal left on a contact
    point.

    `on`: `subject` or `contact_point`; `reason` a code. `kind`: `suppression`, or `objection` where a look-up
    lists what else the person said.
    """

    suppression_id: str
    scope: str
    on: str
    subject_ref: str | None
    channel: str | None
    purpose: str | None
    reason: str
    occurred_at: datetime
    released_at: datetime | None
    event_id: str
    kind: str = "suppression"


def lookup(
    snap: Snapshot, *, subject_ref: str | None = None, contact_point: Identifier | None = None
) -> list[Suppression]:
    """Give the suppressions that stand.

    On the person and the person's contact points, or on a contact point; oldest first.
    """
    found: list[Suppression] = []
    hashes: list[str] = []
    if subject_ref is not None:
        found += [each for each in _said_by(snap, subject_ref) if each.kind == "suppression"]
        hashes += [point.suppression_hash for point in subjects.points(snap, subject_ref)]
    if contact_point is not None:
        hashes.append(read_value(snap, contact_point).suppression_hash)
    bars = suppression_store.standing(snap.connection, snap.tenant_id, hashes)
    found += [of_point(bar) for listed in bars.values() for bar in listed]
    return sorted(found, key=_order)


def noes(
    snap: Snapshot, *, subject_ref: str | None = None, contact_point: Identifier | None = None
) -> list[Suppression]:
    """Give the suppressions and objections that stand; oldest first.

    On the person and the person's contact points; or on a contact point and on everybody who has it.
    """
    found = {
        each.suppression_id: each
        for each in lookup(snap, subject_ref=subject_ref, contact_point=contact_point)
    }
    people = [] if subject_ref is None else [subject_ref]
    if contact_point is not None:
        people += _who_has(snap, read_value(snap, contact_point).blind_index)
    for ref in people:
        found |= {each.suppression_id: each for each in _said_by(snap, ref)}
    return sorted(found.values(), key=_order)


def _said_by(snap: Snapshot, subject_ref: str) -> list[Suppression]:
    """What stands of a person's own state."""
    events = in_force(store.events_of(snap.connection, snap.tenant_id, subject_ref))
    return [of_person(event) for event in events if event.status in ("suppressed", "objected")]


def _order(each: Suppression) -> tuple[datetime, str]:
    return each.occurred_at, each.suppression_id


def _who_has(snap: Snapshot, blind_index: str) -> list[str]:
    """The people who have a contact point, or had it; a merged record means its survivor."""
    people = [
        subjects.find_by_ref(snap, each.subject_ref) for each in subjects.shared_points(snap, blind_index)
    ]
    return [each.merged_into or each.subject_ref for each in people if each is not None]


def of_person(event: ConsentEvent, *, released: ConsentEvent | None = None) -> Suppression:
    """What an event of a person's own state says."""
    return Suppression(
        event.consent_id,
        event.scope,
        "subject",
        event.subject_ref,
        event.channel or None,
        event.purpose or None,
        event.reason or "unspecified",
        event.occurred_at,
        released.recorded_at if released else None,
        event.event_id,
        "objection" if event.status == "objected" else "suppression",
    )


def of_point(bar: StoredBar) -> Suppression:
    """What a bar on a contact point says."""
    return Suppression(
        bar.suppression_id,
        bar.scope,
        "contact_point",
        None,
        bar.channel or None,
        bar.purpose or None,
        bar.reason,
        bar.occurred_at,
        bar.released_at,
        bar.event_id,
    )
