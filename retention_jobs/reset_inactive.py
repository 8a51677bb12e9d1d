"""Warns of people who did nothing for long, and moves on those whom nobody kept."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.lifecycle import inactivity
from governance.lifecycle.review_store import OPEN, RESET
from governance.policy.model import Inactivity

ACTOR = Actor("job:reset-inactive", "job")
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Settle the reviews that wait, then warn of whoever comes next; gives how many people were moved."""
    moved = 0
    for tenant_id in runtime.tenant_ids():
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            rules = inactivity.rules(snapshot)
        moved += _settle(runtime, tenant_id)
        for model, lapse in rules:
            _warn(runtime, tenant_id, model, lapse)
    return moved


def _settle(runtime: Runtime, tenant_id: str) -> int:
    moved, after = 0, ""
    while True:
        runtime.heed()
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            waiting = inactivity.reviews(snapshot, state=OPEN, after=after, limit=_BATCH)
        if not waiting:
            return moved
        after = waiting[-1].review_id
        # One person a transaction: whoever acts meanwhile waits for one move at most.
        for each in waiting:
            with runtime.work(tenant_id, ACTOR) as work:
                moved += inactivity.settle(work, each.review_id).state == RESET


def _warn(runtime: Runtime, tenant_id: str, model: str, lapse: Inactivity) -> None:
    after = ""
    while True:
        runtime.heed()
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            found = inactivity.candidates(snapshot, model, lapse, after=after, limit=_BATCH)
        if not found:
            return
        after = found[-1]
        with runtime.work(tenant_id, ACTOR) as work:
            for subject_ref in found:
                inactivity.warn(work, subject_ref, model, lapse)
