"""Requests of people and their clocks: what is overdue comes first, then what is due soon."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.reports import figures_store as store
from governance.rights.model import ANSWERED, REFUSED
from governance.work import Snapshot

SOON = timedelta(days=7)
BACK = timedelta(days=365)
COLUMNS = (
    "id",
    "type",
    "state",
    "regime",
    "channel",
    "received_at",
    "due_at",
    "days_left",
    "waits_for",
    "clock",
)

OVERDUE, DUE_SOON, ON_TIME = "overdue", "due_soon", "on_time"


def report(snap: Snapshot) -> dict[str, Any]:
    """`{"open": [COLUMNS…], "overdue", "due_soon", "unacknowledged", "by_type", "by_regime", "closed"}`.

    `closed` is about the last 365 days: how many answers were given, how many of those in time, how many an
    appeal or complaint took back (the request is open again then, or was answered once more), and how those
    that are closed ended.
    """
    rows = store.requests(snap.connection, snap.tenant_id, snap.now - BACK)
    waiting = [row for row in rows if row["closed_at"] is None]
    lines = [_line(row, snap.now) for row in waiting]
    closed = [row for row in rows if row["closed_at"] is not None and row["state"] in (*ANSWERED, REFUSED)]
    taken_back = store.reopened(snap.connection, snap.tenant_id, snap.now - BACK)
    answered = [*closed, *taken_back]  # an answer that was late stays late, also if it was taken back
    in_time = sum(row["closed_at"] <= row["due_at"] for row in answered)
    clocks = Counter(line["clock"] for line in lines)
    return {
        "open": lines,
        "overdue": clocks[OVERDUE],
        "due_soon": clocks[DUE_SOON],
        "unacknowledged": sum(_late(row, snap.now) for row in waiting),
        "by_type": dict(sorted(Counter(row["type"] for row in waiting).items())),
        "by_regime": dict(sorted(Counter(row["regime"] for row in waiting).items())),
        "closed": {
            "since": wire(snap.now - BACK),
            "answered": len(answered),
            "in_time": in_time,
            "share_in_time": round(in_time / len(answered), 4) if answered else None,
            "taken_back": len(taken_back),
            "by_outcome": dict(
                sorted(Counter(row["state"] for row in rows if row["closed_at"] is not None).items())
            ),
        },
    }


def _line(row: Any, now: datetime) -> dict[str, Any]:
    left = row["due_at"] - now
    clock = OVERDUE if left <= timedelta(0) else DUE_SOON if left <= SOON else ON_TIME
    return {
        "id": row["request_id"],
        "type": row["type"],
        "state": row["state"],
        "regime": row["regime"],
        "channel": row["channel"],
        "received_at": wire(row["received_at"]),
        "due_at": wire(row["due_at"]),
        "days_left": left // timedelta(days=1),
        "waits_for": row["waits_for"],
        "clock": clock,
    }


def _late(row: Any, now: datetime) -> bool:
    by = row["acknowledge_by"]
    return by is not None and by <= now and row["acknowledged_at"] is None
