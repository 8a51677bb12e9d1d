"""Use cases of runs: ask what is due, look how it came out, let a second person approve what is much.

A dry run counts in one view and changes nothing. A real run proposes dispositions in batches; if what it
would delete exceeds the blast radius, it stops until somebody else than who started it approves. The work is
done by `sweeping`, in as many processes as like to.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance import persons
from governance.clock import wire
from governance.errors import ConflictError, NotFoundError
from governance.policy.principles import DELETE, KEEP, REVIEW
from governance.retention import disposition_store, record_store, run_store, settings, sweep_store, tally
from governance.retention.model import OWN, STARTER, Refusal
from governance.retention.scales import Scales
from governance.retention.tally import Tally
from governance.subjects import service as subjects
from governance.work import Snapshot, Work

QUEUED, AWAITING, APPROVING, CANCELLING = "queued", "awaiting_approval", "approving", "cancelling"
COMPLETED, CANCELLED, FAILED, RUNNING = "completed", "cancelled", "failed", "running"
FEW = 20_000
"""So many records are counted while somebody waits for the answer."""

PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is kept. `status`: queued, running, awaiting_approval, completed, cancelled or failed.

    `total` of `progress` records were weighed. `diff` is against `before_run`. `within_limit` is None until
    everything is counted.
    """

    run_id: str
    dry_run: bool
    status: str
    started_by: str
    created_at: datetime
    evaluated_at: datetime | None
    finished_at: datetime | None
    policy: str | None
    tally: Tally | None
    before_run: str | None
    diff: tuple[dict[str, Any], ...]
    within_limit: bool | None
    decided_by: str | None
    failure: str | None
    progress: int


def create(work: Work, *, dry_run: bool) -> Run:
    """Queue a run; ConflictError `run-under-way` for a second real one."""
    if not dry_run and run_store.unfinished_real(work.connection, work.tenant_id) is not None:
        raise ConflictError(
            "A run is under way or waits for approval; approve or cancel it first.", reason="run-under-way"
        )
    run_id = work.new_id("run")
    event = work.record("retention.run_created", facts={"run": run_id, "dry_run": dry_run})
    run_store.add(
        work.connection,
        {
            "tenant_id": work.tenant_id,
            "run_id": run_id,
            "dry_run": dry_run,
            "status": QUEUED,
            "started_by": work.actor.ref,
            "created_at": work.now,
            "event_id": event.id,
        },
    )
    return get(work, run_id)


def begin(work: Work) -> Run | None:
    """Queue a real run for the timetable; None if one is under way or waits for approval."""
    if run_store.unfinished_real(work.connection, work.tenant_id) is not None:
        return None
    return create(work, dry_run=False)


def get(snap: Snapshot, run_id: str) -> Run:
    """The run of this id; NotFoundError."""
    row = run_store.find(snap.connection, snap.tenant_id, run_id)
    if row is None:
        raise NotFoundError("There is no such run.")
    return _run(row, snap.now)


def listed(snap: Snapshot, *, before: str | None = None, limit: int = 50) -> list[Run]:
    """Runs, the newest first."""
    rows = run_store.listed(snap.connection, snap.tenant_id, before=before, limit=limit)
    return [_run(row, snap.now) for row in rows]


def approve(work: Work, run_id: str) -> Run | Refusal:
    """Let a run that stopped go on; whoever started it cannot, and the attempt leaves its trace.

    NotFoundError; ConflictError `not-awaiting-approval`.
    """
    found = _locked(work, run_id)
    if found.status != AWAITING:
        raise ConflictError("This run does not wait for approval.", reason="not-awaiting-approval")
    why_not = persons.not_second(work, found.started_by, otherwise=STARTER)
    if why_not is not None:
        work.record("retention.approval_refused", facts={"run": run_id, "because": persons.CODE})
        return Refusal(persons.CODE, why_not)
    assert found.tally is not None
    event = work.record("retention.run_approved", facts={"run": run_id, "deletions": found.tally.deletions})
    run_store.update(
        work.connection,
        work.tenant_id,
        run_id,
        {
            "status": APPROVING,
            "decided_by": work.actor.ref,
            "decided_at": work.now,
            "lease_until": None,
            "event_id": event.id,
        },
    )
    return get(work, run_id)


def cancel(work: Work, run_id: str) -> Run:
    """Call a run off, also one that failed: what it proposed is withdrawn, what was approved goes on.

    NotFoundError; ConflictError `run-finished`.
    """
    found = _locked(work, run_id)
    if found.status not in (QUEUED, RUNNING, AWAITING, FAILED):
        raise ConflictError("This run is finished; there is nothing to cancel.", reason="run-finished")
    event = work.record("retention.run_cancelled", facts={"run": run_id})
    run_store.update(
        work.connection,
        work.tenant_id,
        run_id,
        {
            "status": CANCELLING,
            "decided_by": work.actor.ref,
            "decided_at": work.now,
            # Whoever works on it loses the fence with the next batch.
            "fence": run_store.retention_run.c.fence + 1,
            "lease_until": None,
            "event_id": event.id,
        },
    )
    return get(work, run_id)


def is_small(snap: Snapshot) -> bool:
    """Whether everything can be counted while somebody waits."""
    people = sweep_store.count_people(snap.connection, snap.tenant_id, FEW + 1)
    return people + record_store.count(snap.connection, snap.tenant_id, FEW + 1) <= FEW


def forecast(snap: Snapshot, *, months: int) -> dict[str, Any]:
    """What falls due in each of the coming months: counted now if that is quick, else by the last dry run.

    ConflictError `no-forecast` if there is much and no dry run yet.
    """
    counted_at, counted = snap.now, None
    if is_small(snap):
        counted = count(snap)
    else:
        row = run_store.newest_counted(snap.connection, snap.tenant_id, dry_only=True)
        if row is None:
            raise ConflictError(
                'There is much to count: POST /v1/retention/runs {"dry_run": true} first.',
                reason="no-forecast",
            )
        counted_at, counted = row.evaluated_at, Tally.read(row.tally)
    return {
        "counted_at": wire(counted_at),
        "months": tally.months(counted.forecast, counted_at.isoformat()[:7], months),
        "undated": sum(counted.counts.values()) - sum(counted.forecast.values()),
    }


def count(snap: Snapshot) -> Tally:
    """Weigh everything in this view."""
    counted = Tally()
    for page in pages(snap):
        for found in page:
            counted.add(found)
    return counted


def pages(snap: Snapshot) -> Any:
    """All records and people of this view, weighed, a page at a time."""
    scales = Scales(snap)
    key = ("", "")
    while rows := sweep_store.records(snap.connection, snap.tenant_id, key, PAGE):
        key = (rows[-1].system, rows[-1].record_id)
        yield scales.records(rows)
    after = ""
    while rows := sweep_store.people(snap.connection, snap.tenant_id, after, PAGE):
        after = rows[-1].subject_ref
        yield scales.people(rows)


def document(snap: Snapshot, run: Run) -> dict[str, Any]:
    """A run as it is answered: counts by rule, samples, what differs from the run before, the limit."""
    counted = run.tally or Tally()
    own = [each["record"] for shown in counted.samples.values() for each in shown if each["system"] == OWN]
    names = subjects.external_ids(snap, own) if own else {}
    waiting = disposition_store.counts(snap.connection, snap.tenant_id, run.run_id)
    limit = settings.get(snap)
    return {
        "id": run.run_id,
        "status": run.status,
        "dry_run": run.dry_run,
        "started_by": run.started_by,
        "created_at": wire(run.created_at),
        "evaluated_at": None if run.evaluated_at is None else wire(run.evaluated_at),
        "finished_at": None if run.finished_at is None else wire(run.finished_at),
        "policy": run.policy,
        "progress": run.progress,
        "total": counted.total,
        "deletions": counted.deletions,
        "reviews": counted.of(REVIEW),
        "kept": counted.of(KEEP),
        "held": counted.held,
        "counts": [
            {
                "rule": rule,
                "disposition": said,
                "count": number,
                "samples": _named(counted.samples.get((rule, said), []), names),
            }
            for (rule, said), number in sorted(counted.counts.items())
        ],
        "before": run.before_run,
        "diff": list(run.diff),
        "blast_radius": {
            "within": run.within_limit,
            "percent": round(100 * counted.of(DELETE) / counted.total, 1) if counted.total else 0.0,
            "limit": limit.document()["blast_radius"],
        },
        "decided_by": run.decided_by,
        "dispositions": waiting,
        "failure": run.failure,
    }


def _named(shown: list[dict[str, str]], names: dict[str, str]) -> list[dict[str, str | None]]:
    return [
        {**each, "record": names.get(each["record"]) if each["system"] == OWN else each["record"]}
        for each in shown
    ]


def _locked(work: Work, run_id: str) -> Run:
    row = run_store.find(work.connection, work.tenant_id, run_id, lock=True)
    if row is None:
        raise NotFoundError("There is no such run.")
    return _run(row, work.now)


def _run(row: sa.Row[Any], now: datetime) -> Run:
    leased = row.lease_until is not None and row.lease_until > now
    status = row.status
    if status in (APPROVING, CANCELLING) or (status == QUEUED and (leased or row.progress)):
        status = RUNNING
    return Run(
        run_id=row.run_id,
        dry_run=row.dry_run,
        status=status,
        started_by=row.started_by,
        created_at=row.created_at,
        evaluated_at=row.evaluated_at,
        finished_at=row.finished_at,
        policy=row.policy,
        tally=None if row.tally is None else Tally.read(row.tally),
        before_run=row.before_run,
        diff=tuple(row.diff or ()),
        within_limit=row.within_limit,
        decided_by=row.decided_by,
        failure=row.failure,
        progress=row.progress,
    )
