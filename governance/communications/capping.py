"""Use cases of the caps: set one, see who is full, take a slot with a message, give it back.

The slot is taken in the transaction that authorises the message, by one conditional statement: there is no
moment between counting and taking. Checks read the same counters.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from governance.communications import cap_store
from governance.communications.cap_store import Slot
from governance.communications.caps import CODE, Cap, Full, read_cap
from governance.communications.model import CheckRequest
from governance.decisions.model import Verdict
from governance.decisions.record import DecisionRecord
from governance.errors import InvalidError, NotFoundError, StaleError
from governance.events import Fact
from governance.policy.compiled import CompiledPolicy
from governance.purposes import service as purposes
from governance.settings import Settings
from governance.subjects.store import subject
from governance.work import Snapshot, Work


@lru_cache(maxsize=1024)
def _cap(cap_id: str, version: int, body: str) -> Cap:
    """Read a cap's text as it was just found: remembered by the text itself, so never out of date."""
    return read_cap(cap_id, version, json.loads(body))


def every(snap: Snapshot) -> list[Cap]:
    """All caps of the tenant, by id; none is shipped."""
    return [_cap(*row) for row in cap_store.caps(snap.connection, snap.tenant_id)]


def get(snap: Snapshot, cap_id: str) -> Cap:
    """The cap of this id; NotFoundError if there is none."""
    found = cap_store.find(snap.connection, snap.tenant_id, cap_id)
    if found is None:
        raise NotFoundError("There is no cap of this id.")
    return found


def put(work: Work, cap_id: str, body: Mapping[str, Any], if_match: int | None) -> Cap:
    """Create a cap (`if_match` None) or replace the version that the caller read; slots taken stay taken.

    Another window begins to count anew. Raises InvalidError for a record that is no cap, StaleError if the
    newest version is not `if_match`.
    """
    classes = purposes.message_classes(work.resource(Settings).policies_dir)
    present = cap_store.find(work.connection, work.tenant_id, cap_id)
    new = read_cap(cap_id, 1 if present is None else present.version + 1, body, classes=classes)
    known = {each.purpose_id for each in purposes.every(work)}
    if not known.issuperset(new.purposes):
        complaint = f"Give some of {', '.join(sorted(known))}."
        raise InvalidError("The cap names a purpose that does not exist.", fields={"purposes": [complaint]})
    if if_match != (None if present is None else present.version):
        raise StaleError("This cap was not changed; read it again and repeat the change on what you find.")
    facts: dict[str, Fact] = {"cap": cap_id, "version": new.version, "limit": new.limit, "active": new.active}
    event = work.record("communications.cap_put", facts=facts)
    if not cap_store.write(work.connection, work.tenant_id, new, at=work.now, event_id=event.id):
        raise StaleError("This cap was not changed; someone else has just written it.")
    return new


def covering(caps: Sequence[Cap], request: CheckRequest) -> list[Cap]:
    """Those of the caps that count messages of this kind."""
    return [
        each
        for each in caps
        if each.covers(channel=request.channel, message_class=request.message_class, purpose=request.purpose)
    ]


def take(work: Work, caps: Sequence[Cap], *, subject_ref: str, message_ref: str) -> list[Full]:
    """Take a slot of each cap for a message, or of none: then those that are full, and nothing is written.

    A message that holds a slot takes no second one.
    """
    held = cap_store.held(work.connection, work.tenant_id, message_ref) if caps else set()
    taken: list[Slot] = []
    zone = _zone(work, subject_ref) if caps else None
    for each in sorted(caps, key=lambda cap: cap.cap_id):
        if each.cap_id in held:
            continue
        window = each.window_at(work.now, zone)
        if not cap_store.take_slot(
            work.connection, work.tenant_id, subject_ref, each.cap_id, window, each.limit
        ):
            for slot in taken:
                cap_store.give_slot(work.connection, work.tenant_id, slot)
            return [Full(each.cap_id, each.version, each.limit, window.end)]
        taken.append(Slot(each.cap_id, subject_ref, window.start, window.end))
    for slot in taken:
        cap_store.hold(work.connection, work.tenant_id, message_ref, slot)
    return []


def give_back(work: Work, message_ref: str) -> bool:
    """Give back the slots that a message holds, once; whether there were any."""
    slots = cap_store.release(work.connection, work.tenant_id, message_ref, work.now)
    for slot in slots:
        cap_store.give_slot(work.connection, work.tenant_id, slot)
    return bool(slots)


def standing(
    snap: Snapshot, caps: Sequence[Cap], subject_ref: str, now: datetime, *, message_ref: str | None = None
) -> list[Full]:
    """Those of the caps that hold nothing more for a person; slots of `message_ref` itself do not count."""
    if not caps:
        return []
    found = cap_store.full(snap.connection, snap.tenant_id, caps, now, subject_ref).get(subject_ref, [])
    if found and message_ref is not None:
        held = cap_store.held(snap.connection, snap.tenant_id, message_ref)
        found = [each for each in found if each.cap_id not in held]
    return found


def everyone_full(snap: Snapshot, caps: Sequence[Cap], now: datetime) -> Mapping[str, Sequence[Full]]:
    """For whom any of the caps holds nothing more, by reference."""
    return cap_store.full(snap.connection, snap.tenant_id, caps, now) if caps else {}


def refused(verdict: Verdict, full: Sequence[Full], policy: CompiledPolicy) -> Verdict:
    """The verdict with the refusal of caps added, in the published order of codes."""
    added = [each.reason(policy.rank(CODE)) for each in full]
    reasons = sorted((*verdict.reasons, *added), key=lambda reason: reason.rank)
    return replace(verdict, allowed=False, reasons=tuple(reasons))


def deny(record: DecisionRecord, full: Sequence[Full], policy: CompiledPolicy) -> DecisionRecord:
    """The decision as it is once the last slot was taken by somebody else."""
    return replace(
        record,
        verdict=refused(record.verdict, full, policy),
        contact_points=(),
        next_eligible_at=max(each.ends for each in full),
    )


def merge(work: Work, from_ref: str, into_ref: str) -> None:
    """Count the slots of a record that was merged away against the person it was merged into."""
    cap_store.move(work.connection, work.tenant_id, from_ref, into_ref, work.now)


def _zone(snap: Snapshot, subject_ref: str) -> str | None:
    query = sa.select(subject.c.time_zone).where(
        subject.c.tenant_id == snap.tenant_id, subject.c.subject_ref == subject_ref
    )
    zone: str | None = snap.connection.execute(query).scalar()
    return zone
