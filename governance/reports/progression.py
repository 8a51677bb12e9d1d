"""How people move along the lifecycle, counted so that nobody can be told from the numbers."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.errors import InvalidError
from governance.policy import service as policies
from governance.reports import figures_store as store
from governance.reports.cells import SMALLEST, shown
from governance.subjects.model import RELATIONSHIP
from governance.work import Snapshot

PERIOD = timedelta(days=90)
LONGEST = timedelta(days=400)
COLUMNS = ("from", "to", "moves", "converted")


def report(
    snap: Snapshot,
    *,
    model: str = RELATIONSHIP,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """`{"model", "stages": {stage: people}, "moves": [COLUMNS…], "not_shown_below"}`; null: too few to show.

    `converted` is, of those who left a stage, the share that went to each next one. InvalidError for a model
    that there is not, or a period that is none or longer than LONGEST.
    """
    until = snap.now if until is None else until
    since = until - PERIOD if since is None else since
    if not timedelta(0) < until - since <= LONGEST:
        sentence = f"Give a period of at most {LONGEST.days} days that begins before it ends."
        raise InvalidError(sentence, fields={"since": [sentence]})
    known = policies.active(snap.connection, snap.tenant_id, snap.now).models
    if model not in known:
        sentence = f"Use one of: {', '.join(sorted(known))}."
        raise InvalidError(sentence, fields={"model": [sentence]})
    everybody = store.stages(snap.connection, snap.tenant_id)
    here = {stage: count for (name, stage), count in everybody.items() if name == model}
    if model == RELATIONSHIP:
        here = _relationship(store.people(snap.connection, snap.tenant_id))
    moves = store.moves(snap.connection, snap.tenant_id, model, since, until)
    by_origin: dict[str | None, dict[str, int]] = {}
    for (old, new), count in moves.items():
        by_origin.setdefault(old, {})[new] = count
    lines = []
    for old, counts in sorted(by_origin.items(), key=lambda each: each[0] or ""):
        visible, left = shown(counts), sum(counts.values())
        for new, number in sorted(visible.items()):
            share = None if number is None or left < SMALLEST else round(number / left, 4)
            lines.append({"from": old, "to": new, "moves": number, "converted": share})
    return {
        "model": model,
        "since": wire(since),
        "until": wire(until),
        "not_shown_below": SMALLEST,
        "stages": dict(sorted(shown(here).items())),
        "moves": lines,
    }


def _relationship(people: Mapping[tuple[str | None, str | None], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, stage), count in people.items():
        found[stage or "none"] = found.get(stage or "none", 0) + count
    return found


def table(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The moves as rows of COLUMNS; where a number is not shown, the cell says so."""
    few = f"fewer than {SMALLEST}, or left out beside such a number"
    return [
        {name: few if name == "moves" and move[name] is None else move[name] for name in COLUMNS}
        for move in found["moves"]
    ]
