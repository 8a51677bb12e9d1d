"""What somebody who leaves leaves behind: what needs another owner, and what they set going."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from governance.access import store as access
from governance.access.model import STAFF, Record
from governance.callers.model import staff_ref
from governance.clock import wire
from governance.reports.leavers_store import MOST, Belongings
from governance.work import Snapshot


def left_behind(snap: Snapshot, record: Record) -> dict[str, Any]:
    """What a member of staff (or a component) owns that is not finished, by its ids.

    `holds`: legal holds in force that they placed; `tasks`: open ones in connected systems; `requests`: open
    rights requests that they see to, or took in where nobody does; `approvals`: what they asked for and waits
    for a second person; `given`: approvals of theirs whose effect is still to come or in force;
    `activations`: changes of policy that they proposed or approved and that come into force by themselves.
    """
    refs = {record.id, *(record.body.get("clients") or ())}
    if record.kind == STAFF:
        refs.add(staff_ref(record.id))
    theirs = Belongings(snap.connection, snap.tenant_id, refs, snap.now)
    glass = access.list_glass(snap.connection, snap.tenant_id, review="pending", opened_by=refs, limit=MOST)
    return {
        "holds": [{"id": each["id"], "placed_at": wire(each["since"])} for each in theirs.active_holds()],
        "approvals": [
            *_kind("retention_run", theirs.waiting_runs()),
            *_kind("dispositions", theirs.waiting_dispositions()),
            *_kind("break_glass", ({"id": each.grant_id, "since": each.opened_at} for each in glass)),
            *_kind("erasure", theirs.waiting_erasures()),
            *_kind("override", theirs.waiting_overrides()),
            *_kind("policy_proposal", theirs.waiting_proposals()),
            *_kind("tenant_deletion", theirs.waiting_deletions()),
        ],
        "tasks": [_told(each) for each in theirs.open_tasks()],
        "requests": [_told(each) for each in theirs.open_requests()],
        "given": [
            *_kind("retention_run", theirs.approved_runs()),
            *_kind("dispositions", theirs.approved_dispositions()),
            *_kind("erasure", theirs.approved_erasures()),
            *_kind("override", theirs.approved_overrides()),
            *_kind("tenant_deletion", theirs.approved_deletions()),
        ],
        "activations": [_told(each) for each in theirs.scheduled_activations()],
    }


def _kind(kind: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"kind": kind, **_told(each)} for each in rows]


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: wire(value) if isinstance(value, datetime) else value for name, value in row.items()}
