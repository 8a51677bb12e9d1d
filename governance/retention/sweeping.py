"""The work of runs: everything is weighed once, under a lease with a fence; a killed worker is followed.

A dry run reads everything in one view and writes at its end. A real run goes on from where the last batch was
committed: its cursor, its counts and the dispositions that it proposed stand in one transaction.
"""

from datetime import timedelta

from governance.errors import GovernanceError
from governance.policy import service as policies
from governance.retention import run_store, settings
from governance.retention.proposing import (
    WORKER,
    LostError,
    advance,
    compared,
    decide,
    ended,
    propose,
)
from governance.retention.runs import APPROVING, CANCELLING, COMPLETED, FAILED, QUEUED, pages
from governance.retention.tally import Tally
from governance.work import Workplace

__all__ = ["WORKER", "run", "run_due"]

_BEAT = timedelta(seconds=5)


def run_due(opener: Workplace) -> int:
    """Work off the runs that wait, of all tenants; gives how many were brought to an end or to approval."""
    done = 0
    for tenant_id in opener.tenant_ids():
        with opener.snapshot(tenant_id, WORKER) as snap:
            waiting = run_store.due(snap.connection, tenant_id, snap.now)
        for run_id in waiting:
            done += run(opener, tenant_id, run_id)
    return done


def run(opener: Workplace, tenant_id: str, run_id: str) -> bool:
    """Work off one run; False if somebody else has it, or nothing is left to do."""
    with opener.work(tenant_id, WORKER) as work, work.bookkeeping():
        fence = run_store.claim(work.connection, tenant_id, run_id, work.new_id("wrk"), work.now)
        if fence is None:
            return False
        row = run_store.find(work.connection, tenant_id, run_id)
        assert row is not None
    try:
        if fence - (row.cursor or {}).get("fence", 0) > run_store.MOST_ATTEMPTS:
            return _fail(opener, tenant_id, run_id, fence, "given-up")
        if row.dry_run and row.status == QUEUED:
            return _count(opener, tenant_id, run_id, fence)
        while not _batch(opener, tenant_id, run_id, fence):
            opener.heed()
        return True
    except LostError:
        return False
    except (GovernanceError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
        # What will go wrong again next time. The class says what; the message might say about whom.
        return _fail(opener, tenant_id, run_id, fence, getattr(problem, "code", type(problem).__name__))


def _count(opener: Workplace, tenant_id: str, run_id: str, fence: int) -> bool:
    """Count everything in one view, then write what came of it."""
    counted, renewed = Tally(), opener.clock()
    with opener.snapshot(tenant_id, WORKER) as snap:
        policy = policies.active(snap.connection, tenant_id, snap.now).digest
        evaluated_at = snap.now
        for page in pages(snap):
            for found in page:
                counted.add(found)
            if opener.clock() - renewed >= _BEAT:
                opener.heed()
                with opener.work(tenant_id, WORKER) as work, work.bookkeeping():
                    renewed = work.now
                    advance(work, run_id, fence, {"progress": counted.total})
    with opener.work(tenant_id, WORKER) as work:
        within = settings.get(work).allows(counted.deletions, counted.total)
        advance(
            work,
            run_id,
            fence,
            {
                "status": COMPLETED,
                "evaluated_at": evaluated_at,
                "finished_at": work.now,
                "policy": policy,
                "progress": counted.total,
                "within_limit": within,
                **compared(work, counted),
                "event_id": ended(work, run_id, "retention.run_counted", counted, policy),
            },
        )
    return True


def _batch(opener: Workplace, tenant_id: str, run_id: str, fence: int) -> bool:
    """Do the next batch of a real run, or of a run called off; True when the run needs nothing more now."""
    with opener.work(tenant_id, WORKER) as work:
        row = run_store.find(work.connection, tenant_id, run_id, lock=True)
        if row is None or row.fence != fence:
            raise LostError
        if row.status == QUEUED:
            return propose(work, row)
        if row.status in (APPROVING, CANCELLING):
            return decide(work, row)
        return True


def _fail(opener: Workplace, tenant_id: str, run_id: str, fence: int, failure: str) -> bool:
    with opener.work(tenant_id, WORKER) as work:
        event = work.record("retention.run_failed", facts={"run": run_id, "failure": failure})
        advance(
            work,
            run_id,
            fence,
            {"status": FAILED, "finished_at": work.now, "failure": failure, "event_id": event.id},
        )
    return True
