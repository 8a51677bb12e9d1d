"""What a question about a message came to, and where it failed if it did. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.decisions.model import Verdict
from governance.decisions.record import FactValues, PermittedPoint


@dataclass(frozen=True, slots=True)
class Judged:
    """What a question came to: the verdict over all worlds, what it was made from, and who it is about."""

    verdict: Verdict
    worlds: Sequence[FactValues] = ()
    subject_ref: str | None = None
    stage: str | None = None
    points: tuple[PermittedPoint, ...] = ()
    next_eligible_at: datetime | None = None
    overrides: Sequence[Mapping[str, Any]] = ()


def place_of(error: BaseException) -> str:
    """File and line where an error arose; its message may hold what was being evaluated."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "unknown" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
