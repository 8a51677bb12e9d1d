"""What somebody who leaves leaves behind: holds, approvals and tasks that need another owner."""

from collections.abc import Collection
from typing import Any

from governance.access import store as access
from governance.access.model import Record
from governance.clock import wire
from governance.reports import leavers_store as store
from governance.work import Snapshot


def left_behind(snap: Snapshot, record: Record) -> dict[str, Any]:
    """What a member of staff (or a component) owns that is not finished, by its ids.

    `holds`: legal holds in force that they placed; `approvals`: retention runs, rights requests' erasures and
    broken glass of theirs that wait for a second person; `tasks`: tasks of connected systems that are open.
    """
    refs: Collection[str] = {record.id, *(record.body.get("clients") or ())}
    connection, tenant_id = snap.connection, snap.tenant_id
    runs = store.waiting_runs(connection, tenant_id, refs)
    glass = access.list_glass(connection, tenant_id, review="pending", opened_by=refs, limit=500)
    return {
        "holds": [
            {"id": hold_id, "placed_at": wire(placed_at)}
            for hold_id, placed_at in store.active_holds(connection, tenant_id, refs)
        ],
        "approvals": [
            *({"kind": "retention_run", "id": run_id, "since": wire(since)} for run_id, since in runs),
            *({"kind": "break_glass", "id": each.grant_id, "since": wire(each.opened_at)} for each in glass),
        ],
        "tasks": [
            {"id": task_id, "system": system_id, "due_at": wire(due_at)}
            for task_id, system_id, due_at in store.open_tasks(connection, tenant_id, refs)
        ],
    }
