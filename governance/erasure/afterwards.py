"""What follows an erasure: the second look, the end of what was kept, the end of the evidence.

A system is read again some days later, when late writes and replicas have settled; what is found there
re-opens the case. Rows that a duty kept are erased when the duty ends. Until both are over the person's
identifiers stay in the case, sealed under a key of the case's own; then that key goes. The person's evidence
key goes at its own term.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from governance.erasure import own, planning, service, store
from governance.erasure.model import DONE, IN_PROGRESS, OWN, PENDING, Erasure, Step
from governance.events import Actor
from governance.retention import service as retention
from governance.systems import operations
from governance.systems.model import COUNT
from governance.systems.model import DONE as ANSWERED
from governance.systems.operations import Opener, Operation
from governance.work import Work

ACTOR = Actor("job:probe-erasures", "job")


def probe(opener: Opener, tenant_id: str, erasure_id: str) -> bool:
    """Read every system a second time; gives whether nothing had come back.

    What cannot be read now is read the next time.
    """
    with opener.snapshot(tenant_id, ACTOR) as snap:
        found = service.get(snap, erasure_id)
        keys = service.read_keys(snap, found)
    if keys is None:
        return True
    back: list[Step] = []
    unread = 0
    for step in found.steps:
        if step.system == OWN or step.status != DONE:
            continue
        name = f"{erasure_id}/{step.system}/{step.round}/probe"
        asked = Operation(name, step.system, COUNT, keys)
        outcome = operations.run(opener, ACTOR, tenant_id, asked)
        if outcome.status != ANSWERED:
            unread += 1
        elif _more(outcome.counts, step.left or {}):
            back.append(step)
    with opener.work(tenant_id, ACTOR) as work:
        _note(work, found, back, unread)
    return not back


def come_back(work: Work, erasure_id: str, today: date) -> int:
    """Take up the steps of which something was kept until now; gives how many."""
    found = service.get(work, erasure_id)
    over = [
        step
        for step in found.steps
        if step.status == DONE and step.comes_back is not None and step.comes_back <= today
    ]
    for step in over:
        _write(work, found, planning.plan(work, found, step, today=today))
    if over:
        _reopen(work, found, "erasure.term_ended", over)
    return len(over)


def shred_evidence(work: Work, erasure_id: str) -> bool:
    """Destroy the evidence keys, unless a hold stands in the way; gives whether they are gone."""
    found = service.get(work, erasure_id)
    if found.evidence_shredded_at is not None:
        return False
    if any(retention.holds_on(work, found.subject_ref)):
        return False
    own.shred_evidence(work, found.subject_ref)
    store.change(work.connection, work.tenant_id, erasure_id, {"evidence_shredded_at": work.now})
    return True


def _more(now: Mapping[str, int], left: Mapping[str, int]) -> bool:
    return any(count > left.get(table, 0) for table, count in now.items())


def _note(work: Work, found: Erasure, back: list[Step], unread: int) -> None:
    """Write what the second look saw."""
    for step in back:
        again = replace(
            step,
            status=PENDING,
            round=step.round + 1,
            attempts=0,
            next_at=work.now,
            because="Data of the person were there again when the system was read a second time.",
        )
        _write(work, found, again)
    if back:
        _reopen(work, found, "erasure.reopened", back)
        return
    if unread:
        return
    values: dict[str, object] = {"probed_at": work.now}
    if not any(step.comes_back for step in found.steps):
        service.drop_keys(work, found)
    store.change(work.connection, work.tenant_id, found.erasure_id, values)
    work.record(
        "erasure.probed",
        subject_ref=found.subject_ref,
        facts={"erasure": found.erasure_id, "systems": len(found.steps)},
    )


def _reopen(work: Work, found: Erasure, kind: str, steps: list[Step]) -> None:
    values = {"status": IN_PROGRESS, "next_at": work.now, "certificate": None, "completed_at": None}
    store.change(work.connection, work.tenant_id, found.erasure_id, values)
    work.record(
        kind,
        subject_ref=found.subject_ref,
        facts={"erasure": found.erasure_id, "systems": [step.system for step in steps]},
    )


def _write(work: Work, found: Erasure, step: Step) -> None:
    with work.bookkeeping():
        store.change_step(work.connection, work.tenant_id, found.erasure_id, step)
