"""What follows an erasure: the second look, the end of what was kept, the end of the evidence.

A system is read again some days later, when late writes and replicas have settled; what is found there
re-opens the case. Rows that a duty kept are erased when the duty ends. Until both are over the person's
identifiers stay in the case, sealed under a key of the case's own; then that key goes. What is kept without a
day keeps them too: what ended is told of the case (`note_event`). Days follow the schedules in force: when
these change, what a rule keeps is reckoned anew. The person's evidence key goes at its own term.
"""

from dataclasses import replace
from datetime import date, datetime

from governance.clock import wire
from governance.erasure import frozen, keys, own, planning, service, store
from governance.erasure.model import DONE, IN_PROGRESS, PARTLY_COMPLETE, Erasure, Step
from governance.errors import ConflictError, InvalidError
from governance.events import Actor, Fact
from governance.retention import service as retention
from governance.retention.model import KEEP, RetentionVerdict
from governance.subjects import service as subjects
from governance.systems.model import KEPT_UNTIL
from governance.work import Snapshot, Work

ACTOR = Actor("job:probe-erasures", "job")


def come_back(work: Work, erasure_id: str, today: date) -> int:
    """Take up the steps of which something was kept until now, or for a restriction; gives how many."""
    found = service.get(work, erasure_id)
    if _is_superseded(work, found):
        _wait_no_longer(work, found)
        return 0
    lifted = _is_lifted(work, found)
    over = _over(work, found, today, lifted=lifted)
    if found.weighed_under is not None:
        with work.bookkeeping():
            values = {"weighed_under": frozen.policy_in_force(work)}
            store.change(work.connection, work.tenant_id, erasure_id, values)
    for step, classes in over:
        _write(work, found, planning.plan(work, found, step, only=classes))
    if not over:
        return 0
    if lifted:  # our own rows go now, and with them the facts that every term is counted from
        frozen.take_down(work, found)
        until = planning.evidence_until(work, found.subject_ref) if found.whole else None
        store.change(work.connection, work.tenant_id, erasure_id, {"evidence_until": until})
    reopen(
        work,
        found,
        "erasure.restriction_over" if lifted else "erasure.term_ended",
        [step for step, _ in over],
    )
    return len(over)


def comes_back(snap: Snapshot, erasure_id: str, today: date) -> bool:
    """Whether there is anything that `come_back` would take up."""
    found = service.get(snap, erasure_id)
    if _is_superseded(snap, found) or _is_stale(snap, found):
        return True
    return bool(_over(snap, found, today, lifted=_is_lifted(snap, found)))


def note_event(work: Work, erasure_id: str, event: str, occurred_at: datetime | None) -> Erasure:
    """Take in what ended in the relationship with somebody who is erased, so that what is kept gets its day.

    NotFoundError; InvalidError for what ends nothing or has not happened yet; ConflictError `still-here` for
    whoever is not erased (their events go to the person), `nothing-kept` where nothing waits for a day.
    """
    found = service.get(work, erasure_id)
    at = work.now if occurred_at is None else occurred_at
    if at > work.now:
        complaint = "What has not happened yet cannot be told."
        raise InvalidError(complaint, fields={"occurred_at": [complaint]})
    person = subjects.find_by_ref(work, found.subject_ref)
    if person is not None and not person.erased:
        raise ConflictError("This person is not erased: send the event to the person.", reason="still-here")
    holder = frozen.holder(work, found)
    known = frozen.kept(work, holder)
    if known is None:
        raise ConflictError("Nothing of this erasure waits for a day.", reason="nothing-kept")
    frozen.freeze(work, holder, known.after(event, at))
    for each in service.of_subject(work, found.subject_ref):
        if each.weighed_under is not None and not (each == found and found.status == PARTLY_COMPLETE):
            values = {"weighed_under": ""}  # what else is kept of the person, or still runs, is reckoned anew
            store.change(work.connection, work.tenant_id, each.erasure_id, values)
    facts: dict[str, Fact] = {"erasure": erasure_id, "event": event, "occurred_at": wire(at)}
    work.record("erasure.event_noted", subject_ref=found.subject_ref, facts=facts)
    moved = _moved(work, found) if found.status == PARTLY_COMPLETE else []
    for step, classes in moved:
        _write(work, found, planning.plan(work, found, step, only=classes))
    if moved:
        reopen(work, found, "erasure.term_changed", [step for step, _ in moved])
    return service.get(work, erasure_id)


Free = list[tuple[Step, tuple[str, ...]]]
"""Steps with the data classes that are taken up again."""


def _over(snap: Snapshot, found: Erasure, today: date, *, lifted: bool) -> Free:
    moved = {step.system: names for step, names in _moved(snap, found)} if _is_stale(snap, found) else {}
    free = [
        (
            step,
            tuple(dict.fromkeys([*planning.over(step, today, lifted=lifted), *moved.get(step.system, ())])),
        )
        for step in found.steps
        if step.status == DONE
    ]
    return [(step, classes) for step, classes in free if classes]


def _is_stale(snap: Snapshot, found: Erasure) -> bool:
    """Whether the schedules were changed since the days were reckoned: then the new ones count."""
    return found.weighed_under is not None and found.weighed_under != frozen.policy_in_force(snap)


def _moved(snap: Snapshot, found: Erasure) -> Free:
    """What a schedule keeps, and would keep until another day, or no longer, by what is known now."""
    moved: Free = []
    for step in found.steps:
        days = {
            part.data_class: part.until
            for part in (*step.parts, *step.kept)
            if step.status == DONE and part.outcome == KEPT_UNTIL and (part.rule or part.until is None)
        }
        now = planning.verdicts(snap, found, step, days)
        other = tuple(name for name, day in days.items() if not _is_same(now[name], day))
        moved += [(step, other)] if other else []
    return moved


def _is_same(verdict: RetentionVerdict, day: date | None) -> bool:
    return verdict.disposition == KEEP and not verdict.held_by and verdict.free_from == day


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


def reopen(work: Work, found: Erasure, kind: str, steps: list[Step]) -> None:
    """Take the case up again, for these steps."""
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
