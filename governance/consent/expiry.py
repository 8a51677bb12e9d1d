"""The end of grants that were given for a time: noted once, with an event of its own.

Every check judges expiry by itself, to the microsecond; nothing here decides. The event tells the CRM and
the auditor that a consent ended, and when.
"""

from collections.abc import Sequence
from datetime import datetime

from governance.clock import wire
from governance.consent import expiry_store, store
from governance.consent.model import Cell
from governance.consent.views import entries
from governance.events import Fact
from governance.subjects import service as subjects
from governance.work import Snapshot, Work


def people_with_expired(snap: Snapshot, limit: int) -> Sequence[str]:
    """The people (references) about whom `expire` has something to note, at most `limit` of them."""
    return expiry_store.people(snap.connection, snap.tenant_id, snap.now, limit)


def expire(work: Work, subject_ref: str) -> int:
    """Note what of a person's grants has run out by now; returns how many consents ended by it.

    Records `consent.expired` for each grant that was in force to its end. A grant that something else had
    ended before is only noted. Safe to repeat: each grant is noted once.
    """
    person = subjects.lock(work, subject_ref)
    cells = list(store.cells_of(work.connection, work.tenant_id, subject_ref).values())
    known = expiry_store.noted(work.connection, work.tenant_id, subject_ref)
    over: dict[str, list[Cell]] = {}
    for cell in cells:
        if _is_over(cell, work.now) and cell.pos_event_id and cell.pos_event_id not in known:
            over.setdefault(cell.pos_event_id, []).append(cell)
    ended = set()
    if not person.erased and person.merged_into is None:
        found = entries(subject_ref, cells, work.now)
        ended = {each.event_id for each in found if each.status == "expired"}
    rows = []
    for grant, its in over.items():
        expired_at = its[0].pos_expires_at
        event_id = _record(work, subject_ref, grant, its) if grant in ended else None
        row = {"grant_event_id": grant, "expired_at": expired_at, "noted_at": work.now, "event_id": event_id}
        rows.append({"subject_ref": subject_ref, **row})
    with work.bookkeeping():  # what ended is recorded above; the rest is said by other events already
        expiry_store.add(work.connection, work.tenant_id, rows)
    return sum(row["event_id"] is not None for row in rows)


def _is_over(cell: Cell, now: datetime) -> bool:
    return (
        cell.pos_status == "granted"
        and cell.kind in expiry_store.KINDS
        and cell.pos_expires_at is not None
        and cell.pos_expires_at <= now
    )


def _record(work: Work, subject_ref: str, grant: str, cells: Sequence[Cell]) -> str:
    first = cells[0]
    facts: dict[str, Fact] = {
        "grant": grant,
        "kind": first.kind,
        "purpose": first.purpose,
        "controller": first.controller,
        "channel": first.channel,
        "topic": first.topic,
        "points": sorted(cell.point_ref for cell in cells),
        "granted_at": wire(first.pos_at) if first.pos_at else None,
        "expired_at": wire(first.pos_expires_at) if first.pos_expires_at else None,
    }
    return work.record("consent.expired", subject_ref=subject_ref, facts=facts).id
