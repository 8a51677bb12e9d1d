"""What follows an erasure: the second look, the end of what was kept, the end of the evidence.

A system is read again some days later, when late writes and replicas have settled; what is found there
re-opens the case. Rows that a duty kept are erased when the duty ends. Until both are over the person's
identifiers stay in the case, sealed under a key of the case's own; then that key goes. The person's evidence
key goes at its own term.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from governance.erasure import keys, own, planning, service, store
from governance.erasure.model import DONE, IN_PROGRESS, OWN, PENDING, Erasure, Step
from governance.events import Actor, Fact
from governance.retention import service as retention
from governance.subjects import service as subjects
from governance.systems import operations
from governance.systems.model import COUNT
from governance.systems.model import DONE as ANSWERED
from governance.systems.operations import Opener, Operation
from governance.work import Snapshot, Work

ACTOR = Actor("job:probe-erasures", "job")


def probe(opener: Opener, tenant_id: str, erasure_id: str) -> bool:
    """Read every system a second time; gives whether nothing had come back.

    What cannot be read now is read the next time.
    """
    with opener.snapshot(tenant_id, ACTOR) as snap:
        found = service.get(snap, erasure_id)
        known = keys.read(snap, found)
    if known is None:
        return True
    back: list[Step] = []
    unread = 0
    for step in found.steps:
        if step.system == OWN or step.status != DONE:
            continue
        name = f"{erasure_id}/{step.system}/{step.round}/probe"
        asked = Operation(name, step.system, COUNT, known)
        outcome = operations.run(opener, ACTOR, tenant_id, asked)
        if outcome.status != ANSWERED:
            unread += 1
        elif _more(outcome.counts, step.left or {}):
            back.append(step)
    with opener.work(tenant_id, ACTOR) as work:
        _note(work, found, back, unread)
    return not back


def come_back(work: Work, erasure_id: str, today: date) -> int:
    """Take up the steps of which something was kept until now, or for a restriction; gives how many."""
    found = service.get(work, erasure_id)
    if _is_superseded(work, found):
        _wait_no_longer(work, found)
        return 0
    lifted = _is_lifted(work, found)
    over = _over(found, today, lifted=lifted)
    for step, classes in over:
        _write(work, found, planning.plan(work, found, step, only=classes))
    if not over:
        return 0
    if lifted:  # our own rows go now, and with them what the term of the evidence is counted from
        until = planning.evidence_until(work, found.subject_ref) if found.whole else None
        store.change(work.connection, work.tenant_id, erasure_id, {"evidence_until": until})
    _reopen(
        work,
        found,
        "erasure.restriction_over" if lifted else "erasure.term_ended",
        [step for step, _ in over],
    )
    return len(over)


def comes_back(snap: Snapshot, erasure_id: str, today: date) -> bool:
    """Whether there is anything that `come_back` would take up."""
    found = service.get(snap, erasure_id)
    return _is_superseded(snap, found) or bool(_over(found, today, lifted=_is_lifted(snap, found)))


def _over(found: Erasure, today: date, *, lifted: bool) -> list[tuple[Step, tuple[str, ...]]]:
    free = [(step, planning.over(step, today, lifted=lifted)) for step in found.steps if step.status == DONE]
    return [(step, classes) for step, classes in free if classes]


def _is_lifted(snap: Snapshot, found: Erasure) -> bool:
    """Whether what was kept for a restriction only may go now; not while a later order does it."""
    if not found.awaits_lifting:
        return False
    person = subjects.find_by_ref(snap, found.subject_ref)
    if person is None or person.erased or person.restricted:
        return False
    return not any(each.is_open for each in service.of_subject(snap, found.subject_ref))


def _is_superseded(snap: Snapshot, found: Erasure) -> bool:
    """Whether a later order has erased whom this one still waits for."""
    person = subjects.find_by_ref(snap, found.subject_ref) if found.awaits_lifting else None
    return found.awaits_lifting and (person is None or person.erased)


def _wait_no_longer(work: Work, found: Erasure) -> None:
    for step in found.steps:
        if step.restricted:
            _write(work, found, replace(step, kept=tuple(replace(part, during=None) for part in step.kept)))
    if found.probed_at is not None and not any(step.comes_back for step in found.steps):
        keys.drop(work, found)
    facts: dict[str, Fact] = {"erasure": found.erasure_id}
    work.record("erasure.superseded", subject_ref=found.subject_ref, facts=facts)


def shred_evidence(work: Work, erasure_id: str) -> bool:
    """Destroy the evidence keys, unless a hold stands in the way; gives whether they are gone."""
    found = service.get(work, erasure_id)
    if found.evidence_shredded_at is not None:
        return False
    if any(retention.holds_on(work, found.subject_ref)):
        return False
    person = subjects.find_by_ref(work, found.subject_ref)
    if person is None or not person.erased:  # a restriction kept them: the term is counted when it is lifted
        with work.bookkeeping():
            store.change(work.connection, work.tenant_id, erasure_id, {"evidence_until": None})
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
    if not found.awaits_lifting and not any(step.comes_back for step in found.steps):
        keys.drop(work, found)
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
