"""Whether whoever asks is still here: what stands before every gate, whatever is asked.

What the access packs say of fields and uses is theirs; this looks only at the asker, in the snapshot of the
question, so whoever left is denied from the next check on, in every process.
"""

from dataclasses import replace

import sqlalchemy as sa

from governance.access import store
from governance.access.model import ACTIVE, ASKER_TYPES, COMPONENT, LEFT, STAFF, UNKNOWN, may_be_asker
from governance.access.store import access_record
from governance.callers import service as callers
from governance.callers import users
from governance.callers.model import is_client_id
from governance.database import Prepared
from governance.decisions.ground import Ground
from governance.decisions.model import Reason, Verdict
from governance.decisions.record import DecisionRecord, Reading
from governance.policy.compiled import CompiledPolicy
from governance.work import Snapshot

_CITES = ("Regulation (EU) 2016/679 Art. 32(4)",)
GONE = Reason(
    "asker-left",
    "askers.left",
    "forbid",
    "Who asks has left; everything that was given ended with that.",
    _CITES,
    False,
    "Let somebody ask who works here.",
)
STRANGER = Reason(
    "asker-unknown",
    "askers.unknown",
    "forbid",
    "Nobody registered who asks, and this tenant answers registered askers only.",
    _CITES,
    False,
    "Register the component or the member of staff, then ask again.",
)

_STATUS = Prepared(
    sa.select(access_record.c.status).where(
        access_record.c.tenant_id == sa.bindparam("tenant"),
        access_record.c.kind == sa.bindparam("kind"),
        access_record.c.record_id == sa.bindparam("asker"),
    )
)


def state_of(snap: Snapshot, kind: str, asker_id: str) -> str:
    """ACTIVE, LEFT, or UNKNOWN for one that is not registered: only staff and components ever are.

    A member of staff is registered by a record or an account, a component by a record or as a credential; who
    belongs to a credential decides for it.
    """
    if kind not in ASKER_TYPES or not may_be_asker(asker_id):
        return UNKNOWN
    rows = _STATUS.rows(snap.connection, tenant=snap.tenant_id, kind=kind, asker=asker_id)
    if rows and rows[0][0] != ACTIVE:
        return LEFT
    if kind == STAFF:
        account = users.find(snap, asker_id)
        if account is not None and not account.active:
            return LEFT
        return ACTIVE if rows or account is not None else UNKNOWN
    if rows or not is_client_id(asker_id):
        return ACTIVE if rows else UNKNOWN
    client = callers.find(snap.connection, asker_id)
    if client is None or client.tenant_id != snap.tenant_id:
        return UNKNOWN
    owner = store.owner_of(snap.connection, snap.tenant_id, asker_id)
    here = client.active and (owner is None or state_of(snap, *owner) == ACTIVE)
    return ACTIVE if here else LEFT


def barred(snap: Snapshot, ground: Ground, kind: str, asker_id: str) -> Reason | None:
    """Why nothing is answered with yes to this asker, whatever is asked; None if nothing of that kind."""
    state = state_of(snap, kind, asker_id)
    if state == LEFT:
        return GONE
    return STRANGER if state == UNKNOWN and ground.registered_askers else None


def refused(record: DecisionRecord, reason: Reason, policy: CompiledPolicy) -> DecisionRecord:
    """The decision with what bars its asker added, in the published order of codes."""
    if not record.allowed and reason.code in record.codes:
        return record
    placed = replace(reason, rank=policy.rank(reason.code))
    reasons = tuple(sorted((*record.verdict.reasons, placed), key=lambda each: each.rank))
    verdict = Verdict(False, reasons, (), record.verdict.permits)
    reading = None if record.reading is None else _closed(record.reading, reason.code)
    return replace(
        record, verdict=verdict, contact_points=(), next_eligible_at=None, overrides=(), reading=reading
    )


def _closed(reading: Reading, code: str) -> Reading:
    """Every field denied."""
    denied = {name: tuple(dict.fromkeys((*reading.denied.get(name, ()), code))) for name in reading.fields}
    return Reading(dict.fromkeys(reading.fields, "deny"), {}, denied)


def registered(snap: Snapshot, kind: str) -> list[str]:
    """The ids of everybody of a kind who is registered here, also of those who left."""
    if kind not in ASKER_TYPES:
        return []
    found = {each.id for each in store.every(snap.connection, snap.tenant_id, [kind])}
    if kind == COMPONENT:
        found.update(each.client_id for each in callers.every(snap))
    else:
        found.update(each.staff_id for each in users.every(snap))
    return sorted(found)
