"""Who has still to be told where the data came from (GDPR Art. 14), and by when.

Data that did not come from the person oblige the controller to tell within a month of getting them; if the
person is written to or the data are disclosed before, then at that moment (Art. 14(3)). What is due follows
from the records themselves: nobody can forget to set a timer, and the event `notice_given` ends it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.policy.durations import Duration, cutoff, plus
from governance.reports import notices_store as store
from governance.subjects.model import NOT_FROM_THE_PERSON
from governance.work import Snapshot

TIME = Duration(1, "month")
"""Art. 14(3)(a)."""

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NoticeDue:
    """Somebody who was not told yet. `ground`: month | first_message | first_disclosure, the earliest."""

    external_id: str
    subject_ref: str
    acquired: str
    acquired_at: datetime
    due_at: datetime
    ground: str
    overdue: bool

    def document(self) -> dict[str, Any]:
        """One line of `GET /v1/lifecycle/notices-due`."""
        return {
            "subject": self.external_id,
            "source": self.acquired,
            "acquired_at": wire(self.acquired_at),
            "due_at": wire(self.due_at),
            "ground": self.ground,
            "overdue": self.overdue,
        }


def due(
    snap: Snapshot,
    *,
    overdue: bool = False,
    unknown: bool = False,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> tuple[list[NoticeDue], tuple[datetime, str] | None]:
    """Up to `limit` people who were not told yet, the oldest data first, and where the list goes on.

    `overdue`: only those whose time is over. `unknown`: also those whose data came nobody said from where.
    """
    sources = (*NOT_FROM_THE_PERSON, UNKNOWN) if unknown else NOT_FROM_THE_PERSON
    rows = store.untold(
        snap.connection,
        snap.tenant_id,
        sources=sources,
        ripe=cutoff(TIME, snap.now).possibly if overdue else None,
        after=after,
        limit=limit + 1,
    )
    shown = rows[:limit]
    following = (shown[-1].acquired_at, shown[-1].subject_ref) if len(rows) > limit else None
    found = [_due(row, snap.now) for row in shown]
    return [each for each in found if each.overdue or not overdue], following


def _due(row: store.Untold, now: datetime) -> NoticeDue:
    moments = [(plus(row.acquired_at, TIME), "month")]
    if row.first_message_at is not None:
        moments.append((row.first_message_at, "first_message"))
    if row.first_disclosed_at is not None:
        moments.append((row.first_disclosed_at, "first_disclosure"))
    at, ground = min(moments)
    return NoticeDue(row.external_id, row.subject_ref, row.acquired, row.acquired_at, at, ground, at <= now)
