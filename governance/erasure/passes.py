"""What a step of several passes knows of the earlier ones: what ended, and what has to be there. Pure."""

from dataclasses import replace

from governance.erasure.model import FAILED, IS_HELD, Part, Step
from governance.systems.model import ANONYMISED, ERASED, KEPT_UNTIL, NOT_FOUND

AFTER = "after"
"""In a plan, of a class that waited while the system erased others of the same person: why it waited."""

_VANISHED = (
    "Data that were held or kept before are not found any more. See in the system whether they are gone or "
    "have only lost what they were found by, then retry; what is not found then either counts as gone."
)

_LOOKED = "Data of this class were there again when the rest was erased; somebody looked, then it went on."


def ended(step: Step) -> frozenset[str]:
    """The classes that earlier passes ended, all of each."""
    found = {part.data_class for part in step.parts}
    open_ = {p.data_class for p in step.parts if p.outcome not in (ERASED, ANONYMISED, NOT_FOUND)}
    return frozenset(found - open_ - {part.data_class for part in step.kept} - set(step.plan or ()))


def waited(step: Step, data_class: str) -> str:
    """Why data of a class that has to be in the system waited; empty if nothing says that they are there."""
    if any(p.data_class == data_class and p.outcome == KEPT_UNTIL and p.rows for p in step.parts):
        return KEPT_UNTIL
    was_found = any(part.rows and part.outcome != NOT_FOUND for part in step.parts)
    why = [p.outcome for p in step.kept if p.data_class == data_class]
    return why[0] if was_found and why and why[0] in (IS_HELD, KEPT_UNTIL) else ""


def checked(step: Step, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """What a system answered, where data that waited and are not found count as failed."""
    plan = step.plan or {}
    return tuple(
        replace(part, outcome=FAILED, because=_VANISHED)
        if part.outcome == NOT_FOUND and plan.get(part.data_class, {}).get(AFTER)
        else part
        for part in parts
    )


def told(step: Step, parts: tuple[Part, ...]) -> Step:
    """The step once somebody was told what failed: a retry asks once more, and believes what is not found.

    What the others ended need not be there for the retry either.
    """
    missing = {p.data_class for p in parts if p.because == _VANISHED or p.outcome in (ERASED, ANONYMISED)}
    if step.plan is None or not missing or not any(part.outcome == FAILED for part in parts):
        return step
    plan = {
        name: {k: v for k, v in one.items() if k != AFTER or name not in missing}
        for name, one in step.plan.items()
    }
    return replace(step, plan=plan)


def joined(step: Step, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts of a step with those of its newest pass; without any, it did nothing.

    What an earlier pass erased stays so where nothing is found now. A class that was there again is failed
    beside what ended before; once a retry passes over it, somebody has looked, and that is told of it.
    """
    if not parts:
        return step.parts
    done = ended(replace(step, plan={}))
    parts = tuple(part for part in parts if part.outcome != NOT_FOUND or part.data_class not in done)
    new = {part.data_class for part in parts if not _is_there_again(step, part)}
    before = [part for part in step.parts if part.data_class not in new]
    seen = {part.data_class for part in before if _is_there_again(step, part)}
    return (
        *(
            replace(part, because=_LOOKED) if part.data_class in seen else part
            for part in before
            if not _is_there_again(step, part)
        ),
        *parts,
    )


def _is_there_again(step: Step, part: Part) -> bool:
    """Whether a part says that a class was there again which the step does not ask for any more."""
    asked = part.data_class in (step.plan or {})
    ended = any(p.data_class == part.data_class and p.outcome != FAILED for p in step.parts)
    return part.outcome == FAILED and ended and not asked
