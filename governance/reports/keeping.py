"""What should be gone, what goes when, and what keeps it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from governance.clock import wire
from governance.errors import ConflictError
from governance.reports import figures_store as store
from governance.retention import runs
from governance.work import Snapshot

MONTHS = 12
SOON = timedelta(days=30)
OPEN_STATES = ("proposed", "approved", "executing")
COLUMNS = ("state", "data_class", "rule", "system", "count", "oldest")


def report(snap: Snapshot) -> dict[str, Any]:
    """`{"backlog": [COLUMNS…], "waiting", "oldest", "records", "holds", "erasures", "forecast"}`.

    `forecast` is null where so much is registered that it is counted by a dry run first.
    """
    lines = [
        {**row, "oldest": wire(row["oldest"])}
        for row in store.dispositions(snap.connection, snap.tenant_id)
        if row["state"] in OPEN_STATES
    ]
    held = store.holds(snap.connection, snap.tenant_id)
    ending = [
        each for each in held if each["expires_at"] is not None and each["expires_at"] <= snap.now + SOON
    ]
    try:
        forecast = runs.forecast(snap, months=MONTHS)
    except ConflictError:
        forecast = None
    return {
        "backlog": lines,
        "waiting": sum(line["count"] for line in lines),
        "oldest": min((line["oldest"] for line in lines), default=None),
        "records": store.records(snap.connection, snap.tenant_id),
        "holds": {"in_force": len(held), "ending_within_30_days": [each["hold_id"] for each in ending]},
        "erasures": store.erasures(snap.connection, snap.tenant_id),
        "forecast": forecast,
    }


def table(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The report as rows of COLUMNS: what should be gone, then what goes month by month (`due 2027-03`)."""
    months = (found["forecast"] or {}).get("months", ())
    coming = [
        {"state": f"due {month['month']}", "data_class": data_class, "count": count}
        for month in months
        for data_class, count in sorted(month["by_data_class"].items())
    ]
    return [*found["backlog"], *coming]
