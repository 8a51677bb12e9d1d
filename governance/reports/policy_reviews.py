"""What has to be looked at again: rules by their day of review, and the times that one person went back."""

from datetime import timedelta
from typing import Any

from governance.policy import history
from governance.policy import service as policies
from governance.work import Snapshot

COMING = timedelta(days=90)
COLUMNS = ("what", "name", "day", "days_over", "by")


def report(snap: Snapshot) -> dict[str, Any]:
    """`{"digest", "overdue", "coming", "undated", "rollbacks"}`: rules whose day has passed or comes soon."""
    policy = policies.active(snap.connection, snap.tenant_id, snap.now)
    today = snap.now.date()
    dated = sorted((rule.review_by, rule.id) for rule in policy.rules if rule.review_by is not None)
    rows = [
        {"rule": rule, "review_by": day.isoformat(), "days_over": max((today - day).days, 0)}
        for day, rule in dated
    ]
    soon = (today + COMING).isoformat()
    return {
        "digest": policy.digest,
        "overdue": [row for row in rows if row["days_over"]],
        "coming": [row for row in rows if not row["days_over"] and str(row["review_by"]) <= soon],
        "undated": len(policy.rules) - len(rows),
        "rollbacks": history.unreviewed(snap),
    }


def table(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The report as rows of COLUMNS, what is overdue first."""
    rules = [("rule overdue", row) for row in found["overdue"]] + [("rule", row) for row in found["coming"]]
    return [
        *(
            {"what": "rollback", "name": row["pack"], "day": row["at"][:10], "by": row["by"]}
            for row in found["rollbacks"]
        ),
        *(
            {"what": what, "name": row["rule"], "day": row["review_by"], "days_over": row["days_over"]}
            for what, row in rules
        ),
    ]
