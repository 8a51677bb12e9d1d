"""Carrying an erasure out, step by step: claim, ask outside, write what came of it.

`advance` may be killed at any line and called again by anybody: no transaction of ours is open while a system
works, a system is asked under an id that names erasure, system and round, and whoever lost the lease writes
nothing (the fence). `Opener` is what `governance.bootstrap.Runtime` offers.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from governance.erasure import frozen, keys, own, passes, planning, registered, service, settling, store
from governance.erasure.model import (
    DONE,
    FAILED,
    HELD,
    IN_PROGRESS,
    LEASE,
    MOST_ATTEMPTS,
    OWN,
    PENDING,
    UNDO_WINDOW,
    WAITING,
    Erasure,
    Part,
    Step,
    ready,
    rest,
)
from governance.erasure.returning import AGAIN, CAME_BACK, came_back
from governance.erasure.store import Claim
from governance.events import Actor
from governance.systems import operations, task_reports
from governance.systems import service as systems
from governance.systems.model import COUNT, ERASE, Disposition, ErasurePlan, Outcome, SubjectKeys, failed
from governance.systems.operations import Operation
from governance.systems.own_dates import OwnDates
from governance.work import Opener, Snapshot, Work

ACTOR = Actor("job:run-erasures", "job")
_HOLD_LOOK = timedelta(hours=1)
"""How often a held step looks whether its hold is gone, should nobody tell it."""

_NO_ANSWER = timedelta(minutes=15)


def advance(opener: Opener, tenant_id: str, erasure_id: str) -> int:
    """Take one erasure as far as it goes now; gives how many steps ended."""
    with opener.work(tenant_id, ACTOR) as work, work.bookkeeping():
        claim = store.claim(work.connection, tenant_id, erasure_id, work.now)
    if claim is None:
        return 0
    ended = 0
    while True:
        with opener.work(tenant_id, ACTOR) as work:
            step = _next(work, claim)
        if step is None:
            return ended
        done = _take(opener, tenant_id, claim, step)
        if done is None:
            return ended  # somebody else has it now
        ended += done


def _next(work: Work, claim: Claim) -> Step | None:
    """Give the step to take, after plans and holds; None, and the lease given back, if there is none."""
    if not _renewed(work, claim):
        return None
    found = service.get(work, claim.erasure_id)
    if found.status == UNDO_WINDOW:
        if found.undo_until > work.now:
            _leave(work, claim, found)
            return None
        found = _begin(work, found)
    found = _take_in_systems(work, found)
    found = _look_at_holds(work, found)
    for empty in planning.write_off(found, work.now):
        _write(work, found, empty)
    found = service.get(work, claim.erasure_id)
    step = ready(found.steps, work.now, planning.before(work))
    if step is not None and found.status in (IN_PROGRESS, WAITING):
        return step
    _leave(work, claim, found)
    return None


def _renewed(work: Work, claim: Claim) -> bool:
    with work.bookkeeping():
        return store.holds_claim(work.connection, work.tenant_id, claim, until=work.now + LEASE)


def _leave(work: Work, claim: Claim, found: Erasure) -> None:
    """Write where the erasure stands, close it if it is over, and give the lease back."""
    settling.settle(work, found)
    with work.bookkeeping():
        store.holds_claim(work.connection, work.tenant_id, claim, until=None)


def _begin(work: Work, found: Erasure) -> Erasure:
    """The undo window is over: make all plans; from here on nothing brings the person back.

    What the person is found by, and which systems are asked, is what holds now: the order may be weeks old.
    """
    keys.gather(work, found)
    for step, more in planning.missing(work, found)[1]:
        _write(work, found, planning.widened(work, found, step, more))
    found = service.get(work, found.erasure_id)
    values = {
        "status": IN_PROGRESS,
        "fence_at": work.now,
        "next_at": work.now,
        "evidence_until": planning.evidence_until(work, found.subject_ref) if found.whole else None,
    }
    store.change(work.connection, work.tenant_id, found.erasure_id, values)
    frozen.take_down(work, found)
    found = service.get(work, found.erasure_id)
    for step in found.steps:
        _write(work, found, planning.plan(work, found, step))
    work.record(
        "erasure.begun",
        subject_ref=found.subject_ref,
        facts={"erasure": found.erasure_id, "systems": [step.system for step in found.steps]},
    )
    return service.get(work, found.erasure_id)


def _take_in_systems(work: Work, found: Erasure) -> Erasure:
    """Let systems that were registered since, and classes of data that they have got since, belong to it."""
    if not found.is_open:
        return found
    new, grown = planning.missing(work, found)
    for step in new:
        planned = planning.plan(work, found, step)
        with work.bookkeeping():
            store.add_step(work.connection, work.tenant_id, found.erasure_id, planned)
        _say(work, found, "erasure.step_added", planned)
    for step, more in grown:
        planned = planning.widened(work, found, step, more)
        _write(work, found, planned)
        _say(work, found, "erasure.step_widened", planned)
    return service.get(work, found.erasure_id) if new or grown else found


def _look_at_holds(work: Work, found: Erasure) -> Erasure:
    """Hold what a hold covers now, class by class, and let go on what none covers any more."""
    for step in found.steps:
        if step.status == HELD:
            planned = _released(work, found, step)
            if planned is None:
                _write(work, found, replace(step, next_at=work.now + _HOLD_LOOK))
            else:
                _write(work, found, planned)
                _say(work, found, "erasure.step_released", step)
        elif step.status in (PENDING, WAITING) and step.plan is not None:
            about = tuple(step.plan) if step.system != OWN else step.data_classes
            stopped = planning.held_of(work, found, step, about)
            if stopped and (step.status == PENDING or _is_taken_back(work, found, step)):
                held = planning.plan(work, found, step, only=about)
                if held.status == HELD:
                    held = replace(held, next_at=work.now + _HOLD_LOOK)
                _write(work, found, held)
                _say(work, found, "erasure.step_held", held)
    return service.get(work, found.erasure_id)


def _is_taken_back(work: Work, found: Erasure, step: Step) -> bool:
    """Take back what a system was asked and has not done: that can be done with somebody's task only."""
    return task_reports.no_longer_asked(work, f"{found.erasure_id}/{step.system}/{step.round}") > 0


def _released(work: Work, found: Erasure, step: Step) -> Step | None:
    """A held step as it goes on; None while every hold stands."""
    about = step.held or step.data_classes
    still = planning.held_of(work, found, step, about)
    free = tuple(each for each in about if each not in still)
    if not free or (still and not step.held):
        return None
    return planning.plan(work, found, step, only=free if step.held else None)


def _take(opener: Opener, tenant_id: str, claim: Claim, step: Step) -> int | None:
    """Carry one step out; 1 if it ended, 0 if not, None if the lease was lost meanwhile."""
    if step.system == OWN:
        with opener.snapshot(tenant_id, ACTOR) as snap:
            found = service.get(snap, claim.erasure_id)
            if not planning.is_held(snap, found, step):
                own.shred(snap, found.subject_ref)
        with opener.work(tenant_id, ACTOR) as work:
            if not _renewed(work, claim):
                return None
            return _end_own(work, claim, step)
    with opener.snapshot(tenant_id, ACTOR) as snap:
        found = service.get(snap, claim.erasure_id)
        known = keys.read(snap, found)
        system = systems.find(snap, step.system)
        # Since the second look; a retry says that somebody saw whose the data are.
        returned = step.because == AGAIN and known is not None and came_back(snap, found, known)
    # What is under way at the far side was asked when it was still mapped: its report must speak of it.
    mapped = () if system is None else system.data_classes
    lost = "" if step.status == WAITING else CAME_BACK if returned else passes.unmapped(step, mapped)
    outcome, left = (failed(lost), None) if lost else _ask(opener, tenant_id, found, step, known)
    with opener.work(tenant_id, ACTOR) as work:
        if not _renewed(work, claim):
            return None
        return _end(work, found, step, outcome, left)


def _ask(
    opener: Opener, tenant_id: str, found: Erasure, step: Step, known: SubjectKeys | None
) -> tuple[Outcome, Mapping[str, int] | None]:
    """Ask the system to erase, and to count what is left."""
    assert step.plan is not None
    if known is None:
        return Outcome(FAILED, "The person's identifiers are no longer held; order the erasure anew."), None
    dispositions = {name: _disposition(one) for name, one in step.plan.items()}
    name = f"{found.erasure_id}/{step.system}/{step.round}"
    asked = Operation(name, step.system, ERASE, known, ErasurePlan(dispositions, passes.ended(step)))
    outcome = operations.run(opener, ACTOR, tenant_id, asked)
    if outcome.status != DONE:
        return outcome, None
    counted = operations.run(opener, ACTOR, tenant_id, Operation(f"{name}/left", step.system, COUNT, known))
    return outcome, counted.counts if counted.status == DONE else None


def _disposition(document: Mapping[str, str]) -> Disposition:
    until = document.get("until")
    return Disposition(
        document["disposition"],
        None if until is None else date.fromisoformat(until),
        document.get("because", ""),
        OwnDates.read(document.get(planning.OWN_DATES)),
    )


def _end_own(work: Work, claim: Claim, step: Step) -> int:
    found = service.get(work, claim.erasure_id)
    if planning.is_held(work, found, step):
        return 0
    rows = own.bury(work, found.subject_ref, fence=found.fence_at)
    parts = tuple(Part(name, "erased") for name in step.plan or ())
    done = replace(step, status=DONE, parts=parts, rows=rows + 1, next_at=None, done_at=work.now, because="")
    _write(work, found, done)
    _say(work, found, "erasure.step_done", done)
    return 1


def _end(work: Work, found: Erasure, step: Step, outcome: Outcome, left: Mapping[str, int] | None) -> int:
    """Write what a system answered."""
    attempts = step.attempts + 1
    if outcome.status == WAITING:
        waits = replace(
            step,
            status=WAITING,
            attempts=attempts,
            because=outcome.because,
            next_at=outcome.check_after or work.now + _NO_ANSWER,
        )
        _write(work, found, waits)
        return 0
    if outcome.status == FAILED and outcome.transient and attempts < MOST_ATTEMPTS:
        again = replace(step, attempts=attempts, because=outcome.because, next_at=work.now + rest(attempts))
        _write(work, found, again)
        _say(work, found, "erasure.step_put_off", again)
        return 0
    parts = tuple(
        Part(each.data_class, each.outcome, sum(each.rows.values()), each.because, each.until)
        for each in outcome.steps
    )
    parts = tuple(replace(part, rule=_rule(step, part)) for part in parts)
    parts = passes.checked(step, parts, said=outcome.status == DONE)
    has_failed = outcome.status == FAILED or any(part.outcome == "failed" for part in parts)
    joined = passes.joined(step, parts)
    ended = replace(
        passes.told(step, parts),
        status=FAILED if has_failed else DONE,
        attempts=attempts,
        parts=joined,
        rows=sum(each.rows for each in (*joined, *step.kept)),
        because=outcome.because or next((part.because for part in parts if part.outcome == "failed"), ""),
        next_at=None,
        left=left,
        done_at=None if has_failed else work.now,
    )
    if ended.status == DONE and ended.held:
        ended = replace(ended, status=HELD, next_at=work.now + _HOLD_LOOK, done_at=None)
    _write(work, found, ended)
    _say(work, found, "erasure.step_failed" if has_failed else "erasure.step_done", ended)
    if not has_failed:
        registered.ended(work, found, ended, outcome.records)
    return 1


def _rule(step: Step, part: Part) -> str | None:
    """The rule by which a system was told to keep a class until this day."""
    asked = (step.plan or {}).get(part.data_class, {})
    until = None if part.until is None else part.until.isoformat()
    dated = planning.OWN_DATES in asked and part.because == asked.get("because")
    return asked.get("rule") if until is not None and (dated or asked.get("until") == until) else None


def _write(work: Snapshot, found: Erasure, step: Step) -> None:
    """Write a step's progress; what it means is recorded by whoever calls."""
    assert isinstance(work, Work)
    with work.bookkeeping():
        store.change_step(work.connection, work.tenant_id, found.erasure_id, step)


def _say(work: Work, found: Erasure, kind: str, step: Step) -> None:
    work.record(
        kind,
        subject_ref=found.subject_ref,
        facts={
            "erasure": found.erasure_id,
            "system": step.system,
            "outcome": step.outcome or step.status,
            "rows": step.rows,
        },
    )
