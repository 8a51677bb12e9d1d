"""The batches of a real run: weighed and proposed, stopped at the blast radius, approved or withdrawn.

Each batch is one transaction: the cursor, the counts, the dispositions and their event stand together.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from governance.events import Actor, Fact
from governance.policy import service as policies
from governance.policy.principles import DELETE, KEEP, REVIEW
from governance.retention import disposition_store, run_store, settings, sweep_store
from governance.retention.disposition_store import APPROVED, PROPOSED, WITHDRAWN
from governance.retention.runs import APPROVING, AWAITING, CANCELLED, CANCELLING, COMPLETED
from governance.retention.scales import Finding, Scales
from governance.retention.tally import Tally, difference
from governance.work import Work

WORKER = Actor("job:sweep-retention", "job")
BATCH = 500
_RECORDS, _PEOPLE, _END = "records", "people", "end"


class LostError(Exception):
    """Another worker has the lease, or the run was called off."""


def propose(work: Work, row: sa.Row[Any]) -> bool:
    """Weigh a batch and propose what is due; after the last one, stop at the blast radius or go on."""
    counted = Tally() if row.tally is None else Tally.read(row.tally)
    cursor = row.cursor or {"part": _RECORDS, "after": ["", ""]}
    policy = policies.active(work.connection, work.tenant_id, work.now).digest
    if cursor["part"] == _END:
        return _stop_or_go(work, row, counted)
    found, cursor = _next(work, cursor)
    for each in found:
        counted.add(each)
    counted.forecast.clear()  # only dry runs forecast: this is written with every batch
    values: dict[str, Any] = {
        "cursor": {**cursor, "fence": row.fence},
        "tally": counted.document(),
        "progress": counted.total,
        "policy": policy,
    }
    proposed = _proposals(work, row.run_id, [each for each in found if each.disposition != KEEP])
    if not proposed:
        with work.bookkeeping():
            advance(work, row.run_id, row.fence, values)
        return False
    event = work.record(
        "retention.dispositions_proposed",
        facts={
            "run": row.run_id,
            "count": len(proposed),
            "deletions": sum(each["demand"] == DELETE for each in proposed),
        },
    )
    disposition_store.add_many(work.connection, [{**each, "event_id": event.id} for each in proposed])
    advance(work, row.run_id, row.fence, values)
    return False


def _next(work: Work, cursor: dict[str, Any]) -> tuple[list[Finding], dict[str, Any]]:
    """Weigh the next page, and say where it goes on."""
    scales = Scales(work)
    if cursor["part"] == _RECORDS:
        after = (cursor["after"][0], cursor["after"][1])
        rows = sweep_store.records(work.connection, work.tenant_id, after, BATCH)
        if rows:
            last = rows[-1]
            return list(scales.records(rows)), {"part": _RECORDS, "after": [last.system, last.record_id]}
        return [], {"part": _PEOPLE, "after": ""}
    rows = sweep_store.people(work.connection, work.tenant_id, cursor["after"], BATCH)
    if rows:
        return list(scales.people(rows)), {"part": _PEOPLE, "after": rows[-1].subject_ref}
    return [], {"part": _END}


def _proposals(work: Work, run_id: str, due: Sequence[Finding]) -> list[dict[str, Any]]:
    """Dispositions of what is due, without what waits already or is kept by somebody."""
    settled: set[tuple[str, str]] = set()
    today = work.now.date().isoformat()
    for system in sorted({each.system for each in due}):
        ids = [each.record_id for each in due if each.system == system]
        known = disposition_store.settled_keys(work.connection, work.tenant_id, system, ids, today)
        settled |= {(system, record_id) for record_id in known}
    return [
        {
            "tenant_id": work.tenant_id,
            "disposition_id": work.new_id("dsp"),
            "run_id": run_id,
            "system": each.system,
            "record_id": each.record_id,
            "subject_ref": each.subject_ref,
            "data_class": each.data_class,
            "demand": each.disposition,
            "rule": each.rule,
            "kept_until": None,
            "state": PROPOSED,
            "because": None,
            "sentence": None,
            "outcome": None,
            "rows_changed": None,
            "proposed_at": work.now,
            "changed_at": work.now,
            "decided_by": None,
            "owner": None,
            "fence": 0,
            "lease_until": None,
        }
        for each in due
        if (each.system, each.record_id) not in settled
    ]


def _stop_or_go(work: Work, row: sa.Row[Any], counted: Tally) -> bool:
    """End the counting of a real run: beyond the blast radius it waits for a second person.

    What the timetable proposes waits in any case until somebody has set a blast radius.
    """
    limit = settings.get(work)
    unset = limit.updated_at is None and row.started_by == WORKER.ref
    within = limit.allows(counted.deletions, counted.total) and not (unset and counted.deletions)
    kind = "retention.run_proposed" if within else "retention.run_stopped"
    advance(
        work,
        row.run_id,
        row.fence,
        {
            "status": APPROVING if within else AWAITING,
            "evaluated_at": work.now,
            "within_limit": within,
            **compared(work, counted),
            "event_id": ended(work, row.run_id, kind, counted, row.policy),
        },
    )
    return not within


def decide(work: Work, row: sa.Row[Any]) -> bool:
    """Approve, or withdraw, a batch of what a run proposed; at the end the run is over."""
    cancelled = row.status == CANCELLING
    demands = (DELETE, REVIEW) if cancelled else (DELETE,)
    for demand in demands:
        ids = disposition_store.of_run(work.connection, work.tenant_id, row.run_id, PROPOSED, demand, BATCH)
        if not ids:
            continue
        kind = "retention.dispositions_withdrawn" if cancelled else "retention.dispositions_approved"
        event = work.record(kind, facts={"run": row.run_id, "count": len(ids)})
        values = {
            "state": WITHDRAWN if cancelled else APPROVED,
            "changed_at": work.now,
            "decided_by": row.decided_by,
            "event_id": event.id,
        }
        disposition_store.set_state(work.connection, work.tenant_id, ids, PROPOSED, values)
        advance(work, row.run_id, row.fence, {"cursor": {**(row.cursor or {}), "fence": row.fence}})
        return False
    counted = Tally() if row.tally is None else Tally.read(row.tally)
    kind = "retention.run_called_off" if cancelled else "retention.run_completed"
    advance(
        work,
        row.run_id,
        row.fence,
        {
            "status": CANCELLED if cancelled else COMPLETED,
            "finished_at": work.now,
            "event_id": ended(work, row.run_id, kind, counted, row.policy),
        },
    )
    return True


def compared(work: Work, counted: Tally) -> dict[str, Any]:
    """The counts, and how they differ from those of the run before."""
    last = run_store.newest_counted(work.connection, work.tenant_id)
    before = None if last is None else Tally.read(last.tally)
    return {
        "tally": counted.document(),
        "before_run": None if last is None else last.run_id,
        "diff": difference(before, counted),
    }


def ended(work: Work, run_id: str, kind: str, counted: Tally, policy: str | None) -> str:
    """Record how a run came out so far; the event's id."""
    facts: dict[str, Fact] = {
        "run": run_id,
        "total": counted.total,
        "deletions": counted.deletions,
        "policy": policy,
    }
    return work.record(kind, facts=facts).id


def advance(work: Work, run_id: str, fence: int, values: dict[str, Any]) -> None:
    """Write columns of a run and stretch the lease; raises if it was lost."""
    stretched = {**values, "lease_until": None if "finished_at" in values else work.now + run_store.LEASE}
    if values.get("status") == AWAITING:
        stretched["lease_until"] = None
    if not run_store.advance(work.connection, work.tenant_id, run_id, fence, stretched):
        raise LostError
