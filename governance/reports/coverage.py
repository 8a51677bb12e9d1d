"""Whom consent covers: by purpose, lawful basis, channel and country; and what a yes is worth there."""

from collections import Counter
from typing import Any

from governance.consent.kinds import OBJECTION
from governance.purposes import service as purposes
from governance.reports import figures_store as store
from governance.work import Snapshot

COLUMNS = ("purpose", "lawful_basis", "channel", "country", "status", "people", "kind")
"""`kind`: `consent`, or `objection`, whose `status` says to what: `marketing` (all of it) or `purpose`."""


def report(snap: Snapshot) -> dict[str, Any]:
    """`{"people", "coverage": [COLUMNS…], "by_purpose": […]}`: every person counts once under each status.

    `people` are all that are there; who never said anything about a purpose is in none of its lines.
    """
    known = {each.purpose_id: each for each in purposes.every(snap)}
    lines: list[dict[str, Any]] = []
    for row in store.consents(snap.connection, snap.tenant_id, snap.now):
        purpose = known.get(row["purpose"])
        lines.append(
            {
                "purpose": row["purpose"] or None,
                "lawful_basis": None
                if purpose is None
                else purpose.basis_for(country=row["country"], stage=None),
                "channel": row["channel"] or None,
                "country": row["country"],
                "status": row["status"],
                "people": row["people"],
                "kind": row["kind"],
            }
        )
    everybody = sum(store.people(snap.connection, snap.tenant_id).values())
    return {"people": everybody, "coverage": lines, "by_purpose": _by_purpose(lines)}


def _by_purpose(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`statuses` counts everything, `objections` once more what of it is no word about consent."""
    sums: dict[tuple[Any, Any], tuple[Counter[str], Counter[str]]] = {}
    for line in lines:
        statuses, objections = sums.setdefault((line["purpose"], line["channel"]), (Counter(), Counter()))
        statuses[line["status"]] += line["people"]
        if line["kind"] == OBJECTION:
            objections[line["status"]] += line["people"]
    return [
        {
            "purpose": purpose,
            "channel": channel,
            "statuses": dict(sorted(statuses.items())),
            "objections": dict(sorted(objections.items())),
        }
        for (purpose, channel), (statuses, objections) in sorted(
            sums.items(), key=lambda each: tuple(map(str, each[0]))
        )
    ]
