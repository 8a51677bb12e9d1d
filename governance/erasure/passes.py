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
    """The step once somebody was told what is not found any more: a retry asks once more, and believes it."""
    missing = {part.data_class for part in parts if part.because == _VANISHED}
    if step.plan is None or not missing:
        return step
    plan = {
        name: {k: v for k, v in one.items() if k != AFTER or name not in missing}
        for name, one in step.plan.items()
    }
    return replace(step, plan=plan)
