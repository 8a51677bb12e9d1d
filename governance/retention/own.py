"""This service's own rows at the end of their term: which are old enough to ask about, and which may go.

The law is in the schedules: nothing is deleted here that they do not say, and a legal hold keeps everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from governance.policy.durations import minus
from governance.retention import service
from governance.retention.model import SCHEDULE
from governance.work import Snapshot


@dataclass(frozen=True, slots=True)
class OldRow:
    """A row of ours: `row_id` names it in its room (and orders it), `subjects` are whom it is about."""

    row_id: str
    subjects: tuple[str, ...]
    created_at: datetime
    closed_at: datetime | None = None


def since(snap: Snapshot, data_class: str) -> datetime | None:
    """The instant before which rows of a class may be at their end; None if no schedule ends them.

    That is the shortest period of the rules that name the class: whatever is younger need not be asked about.
    """
    periods = [
        rule.period
        for schedule in service.schedules(snap).schedules
        for rule in schedule.rules
        if data_class in rule.data_classes and rule.period is not None
    ]
    return max((minus(snap.now, period) for period in periods), default=None)


def over(snap: Snapshot, data_class: str, rows: Sequence[OldRow]) -> list[str]:
    """Ids of the rows that nothing keeps any more: their term is over for everybody whom they are about."""
    known: dict[tuple[str | None, date, date | None], bool] = {}
    found = []
    for row in rows:
        free = True
        for ref in row.subjects or (None,):
            at = (ref, row.created_at.date(), None if row.closed_at is None else row.closed_at.date())
            if at not in known:
                known[at] = service.verdict(
                    snap,
                    ref,
                    data_class,
                    created_at=row.created_at,
                    closed_at=row.closed_at,
                    occasion=SCHEDULE,
                ).deletable
            free = free and known[at]
        if free:
            found.append(row.row_id)
    return found
