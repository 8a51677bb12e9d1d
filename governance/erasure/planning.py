"""What each step will do: asked of retention once, when the undo window has closed.

Our own rows go soon after, and with them the facts that retention rests on; so all plans are made in one
transaction and kept. A step that is held, or that comes back at the end of a term, gets a new plan and with
it a new round, because a system is asked once per round.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from governance.erasure.model import DONE, HELD, OWN, PENDING, WAITING, Before, Erasure, Part, Step
from governance.retention import service as retention
from governance.retention.model import KEEP, SCHEDULE, RetentionVerdict
from governance.subjects import service as subjects
from governance.systems import service as systems
from governance.systems.model import DELETE, KEEP_UNTIL, KEPT_UNTIL, Disposition, ErasurePlan, erasure_order
from governance.work import Snapshot

OWN_CLASSES = ("identification", "contact_details", "demographics", "organisation", "preferences")
"""Data classes of the catalogue that our own record of a person holds in the open or under its own key."""

EVIDENCE_CLASSES = ("consent_proofs", "messages")
"""Data classes that keep a person's evidence key alive."""

_ERASURE = "erasure"
_HELD = "A legal hold covers these data; the erasure goes on by itself once it is released."


@dataclass(frozen=True, slots=True)
class Answer:
    """What retention says of some data classes: what is done, what is left alone, which holds stand."""

    dispositions: dict[str, Disposition]
    kept: tuple[Part, ...]
    held_by: tuple[str, ...]


def first_steps(snap: Snapshot, scope: tuple[str, ...] | None) -> tuple[Step, ...]:
    """One step per system that holds anything in scope, in the order of what is derived from what."""
    registered = systems.every(snap)
    of = {each.system_id: each for each in registered}
    steps = []
    for batch, ids in enumerate(erasure_order(registered)):
        for system_id in ids:
            classes = tuple(each for each in of[system_id].data_classes if scope is None or each in scope)
            if classes:
                steps.append(_fresh(system_id, batch, classes))
    return tuple(steps) if scope is not None else (*steps, _fresh(OWN, len(steps), OWN_CLASSES))


def missing(snap: Snapshot, erasure: Erasure) -> tuple[list[Step], list[tuple[Step, tuple[str, ...]]]]:
    """What systems hold by now that no step of the case is about.

    Gives steps for systems that were registered since, and steps that are there with the classes of data that
    their systems have got since. One that is under way at the far side is left until it has ended.
    """
    known = {step.system: step for step in erasure.steps}
    new: list[Step] = []
    grown: list[tuple[Step, tuple[str, ...]]] = []
    for each in first_steps(snap, erasure.scope):
        step = known.get(each.system)
        if step is None:
            new.append(each)
        elif step.status != WAITING:
            more = tuple(name for name in each.data_classes if name not in step.data_classes)
            if more:
                grown.append((step, more))
    return new, grown


def widened(snap: Snapshot, erasure: Erasure, step: Step, more: tuple[str, ...]) -> Step:
    """A step that is about more classes of data from now on: planned, if the others are."""
    wide = replace(step, data_classes=(*step.data_classes, *more))
    if step.plan is None or step.status == HELD:
        return wide
    planned = plan(snap, erasure, wide, only=more)
    planned = late(snap, erasure, planned)
    if planned.status == HELD or step.status == DONE:
        return planned
    both = {**step.plan, **(planned.plan or {})}  # what was not done yet is not forgotten
    return replace(planned, status=step.status, plan=both, because=step.because, next_at=step.next_at)


def late(snap: Snapshot, erasure: Erasure, step: Step) -> Step:
    """A plan made after our own rows are gone, and with them facts that keep data: it takes over what is kept
    elsewhere of the same classes."""
    person = subjects.find_by_ref(snap, erasure.subject_ref)
    if step.plan is None or (person is not None and not person.erased):
        return step
    plan, kept = dict(step.plan), {part.data_class: part for part in step.kept}
    for other in erasure.steps:
        for name, said in (other.plan or {}).items():
            if plan.get(name, said)["disposition"] == DELETE and said["disposition"] == KEEP_UNTIL:
                plan[name] = said
        for part in other.kept:
            if part.data_class in plan and (part.during or (part.until and part.until > snap.now.date())):
                del plan[part.data_class]
                kept[part.data_class] = part
    plan = {name: said for name, said in plan.items() if name in step.data_classes}
    return replace(step, plan=plan, kept=tuple(kept.values()))


def before(snap: Snapshot) -> Before:
    """Which systems come before which: what was derived goes before what it was derived from."""
    depends_on = {each.system_id: each.depends_on for each in systems.every(snap)}
    first: dict[str, set[str]] = {each: set() for each in depends_on}
    for system_id in depends_on:
        reached = list(depends_on[system_id])
        while reached:
            source = reached.pop()
            if system_id != source and system_id not in first.setdefault(source, set()):
                first[source].add(system_id)
                reached += depends_on.get(source, ())
    return {each: frozenset(derived) for each, derived in first.items()}


def holds_on(snap: Snapshot, erasure: Erasure) -> tuple[str, ...]:
    """Ids of the holds on the person, whatever data they cover."""
    return tuple(hold.hold_id for hold in retention.holds_on(snap, erasure.subject_ref))


def plan(snap: Snapshot, erasure: Erasure, step: Step, *, only: tuple[str, ...] | None = None) -> Step:
    """Give a step its plan, or mark it as held. `only`: data classes whose keeping has ended, else all."""
    classes = step.data_classes if only is None else only
    system = None if step.system == OWN else step.system
    answer = _ask(snap, erasure, system, classes)
    if answer.held_by:
        return replace(step, status=HELD, because=_HELD, next_at=None)
    document = ErasurePlan(answer.dispositions).document()
    fresh = step.plan is None
    still = () if only is None else tuple(part for part in step.kept if part.data_class not in classes)
    return replace(
        step,
        status=PENDING,
        round=step.round if fresh else step.round + 1,
        attempts=0,
        plan=document,
        kept=(*still, *answer.kept),
        because="",
        next_at=snap.now,
    )


def is_held(snap: Snapshot, erasure: Erasure, step: Step) -> bool:
    """Whether a hold stands in the way of this step now."""
    system = None if step.system == OWN else step.system
    return any(
        _verdict(snap, erasure.subject_ref, system, data_class).held_by for data_class in step.data_classes
    )


def evidence_until(snap: Snapshot, subject_ref: str) -> date:
    """The last day on which the person's evidence is kept: the latest that a schedule gives for its classes.

    The evidence serves claims, which an erasure does not end (GDPR Art. 17(3)(e)).
    """
    ends = [
        retention.verdict(snap, subject_ref, each, created_at=snap.now, occasion=SCHEDULE).until
        for each in EVIDENCE_CLASSES
    ]
    return max((each for each in ends if each is not None), default=snap.now.date())


def write_off(erasure: Erasure, now: datetime) -> Iterable[Step]:
    """Steps that have nothing to do because everything in them is kept: done, with the reasons."""
    for step in erasure.steps:
        if step.status == PENDING and step.plan is not None and not step.plan:
            yield replace(step, status=DONE, done_at=now, next_at=None)


def _fresh(system: str, batch: int, classes: tuple[str, ...]) -> Step:
    return Step(
        system=system,
        batch=batch,
        status=PENDING,
        round=1,
        attempts=0,
        data_classes=classes,
        plan=None,
        kept=(),
        parts=(),
        rows=0,
        because="",
        next_at=None,
        left=None,
        done_at=None,
    )


def over(step: Step, today: date, *, lifted: bool) -> tuple[str, ...]:
    """The data classes whose keeping has ended. `lifted`: nothing is kept for a restriction any more."""
    dated = [
        part.data_class
        for part in (*step.parts, *step.kept)
        if part.until is not None and part.until <= today
    ]
    return tuple(dict.fromkeys([*dated, *(step.restricted if lifted else ())]))


def _ask(snap: Snapshot, erasure: Erasure, system: str | None, classes: tuple[str, ...]) -> Answer:
    dispositions: dict[str, Disposition] = {}
    kept: list[Part] = []
    held: dict[str, None] = {}
    for data_class in classes:
        verdict = _verdict(snap, erasure.subject_ref, system, data_class)
        if verdict.held_by:
            held.update(dict.fromkeys(verdict.held_by))
        elif verdict.disposition != KEEP:
            dispositions[data_class] = Disposition(DELETE)
        elif system is not None and verdict.free_from is not None:
            dispositions[data_class] = Disposition(KEEP_UNTIL, verdict.free_from, verdict.because)
        else:
            until, during = verdict.free_from, verdict.during
            kept.append(Part(data_class, KEPT_UNTIL, 0, verdict.because, until, during))
    return Answer(dispositions, tuple(kept), tuple(held))


def _verdict(snap: Snapshot, subject_ref: str, system: str | None, data_class: str) -> RetentionVerdict:
    return retention.verdict(snap, subject_ref, data_class, system=system, occasion=_ERASURE)
