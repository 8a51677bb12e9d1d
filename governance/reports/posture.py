"""Where we stand, in one page: every duty that can be late or broken, with how many and where to look.

`ok`: nothing to do. `warning`: soon, or worth a look. `problem`: a promise is broken or will be at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from governance.clock import wire
from governance.ledger import service as ledger
from governance.ledger.store import latest_checkpoint
from governance.outbox.model import ACTIVE
from governance.purposes import service as purposes
from governance.queue import service as queue
from governance.reports import figures_store as store
from governance.reports import keeping, request_clocks
from governance.retention import service as retention
from governance.transfers import flows
from governance.work import Snapshot

OK, WARNING, PROBLEM = "ok", "warning", "problem"
LEVELS = (OK, WARNING, PROBLEM)
COLUMNS = ("id", "level", "count", "sentence", "look_at")
CHECKPOINT_WITHIN = timedelta(minutes=5)
BACKLOG_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Line:
    """One duty: how it stands, how many are concerned, and where to look."""

    id: str
    level: str
    count: int
    sentence: str
    look_at: str

    def document(self) -> dict[str, Any]:
        """The line as it is answered."""
        return {name: getattr(self, name) for name in COLUMNS}


def report(snap: Snapshot) -> dict[str, Any]:
    """`{"at", "level", "lines": [COLUMNS…]}`; `level` is that of the worst line, which stands first."""
    lines = [line for look in _LOOKS for line in look(snap)]
    lines.sort(key=lambda line: -LEVELS.index(line.level))
    worst = lines[0].level if lines else OK
    return {"at": wire(snap.now), "level": worst, "lines": [line.document() for line in lines]}


def _line(id_: str, count: int, bad: str, sentence: str, look_at: str) -> Line:
    if not count:
        return Line(id_, OK, 0, f"Nothing to do. Looked for: {sentence[0].lower()}{sentence[1:]}", look_at)
    return Line(id_, bad, count, sentence, look_at)


def _requests(snap: Snapshot) -> Iterator[Line]:
    found = request_clocks.report(snap)
    at = "/v1/reports/requests"
    yield _line("requests-overdue", found["overdue"], PROBLEM, "Requests of people are past their term.", at)
    yield _line(
        "requests-unacknowledged",
        found["unacknowledged"],
        PROBLEM,
        "Requests were not acknowledged in time.",
        at,
    )
    yield _line("requests-due-soon", found["due_soon"], WARNING, "Requests are due within seven days.", at)


def _keeping(snap: Snapshot) -> Iterator[Line]:
    rows = [
        row
        for row in store.dispositions(snap.connection, snap.tenant_id)
        if row["state"] in keeping.OPEN_STATES and row["oldest"] <= snap.now - BACKLOG_WITHIN
    ]
    late = sum(row["count"] for row in rows)
    at = "/v1/reports/retention"
    yield _line("retention-backlog", late, WARNING, "Data due to go have waited for more than 30 days.", at)
    erasures = store.erasures(snap.connection, snap.tenant_id)
    yield _line(
        "erasures-failed", erasures.get("failed", 0), PROBLEM, "Erasures have failed.", "/v1/erasures"
    )
    yield _line(
        "erasures-waiting",
        erasures.get("waiting", 0),
        WARNING,
        "Erasures wait for a system or hold.",
        "/v1/erasures",
    )
    sentence = "Data of erased people are kept without a day: tell the case what ended, and when."
    undated = store.undated_erasures(snap.connection, snap.tenant_id)
    at = "/v1/erasures?status=partly_complete"
    yield _line("erasures-undated", undated, WARNING, sentence, at)
    held = store.holds(snap.connection, snap.tenant_id)
    ending = sum(1 for each in held if each["expires_at"] and each["expires_at"] <= snap.now + keeping.SOON)
    yield _line("holds-ending", ending, WARNING, "Legal holds end within 30 days.", "/v1/holds")
    rules = retention.schedules(snap).rules
    stale = sum(1 for rule in rules if rule.review_by < snap.now.date())
    sentence = "Retention rules are past their review date."
    yield _line("retention-rules-unreviewed", stale, WARNING, sentence, "/v1/retention/schedule")


def _purposes(snap: Snapshot) -> Iterator[Line]:
    asleep = sum(1 for each in purposes.every(snap) if each.state != "active")
    yield _line(
        "purposes-incomplete",
        asleep,
        WARNING,
        "Purposes are incomplete: nothing may rest on them.",
        "/v1/purposes",
    )
    rows = store.consents(snap.connection, snap.tenant_id, snap.now)
    unproven = sum(row["people"] for row in rows if row["status"] == "unproven")
    sentence = "Consents are claimed without proof: nobody is written to on them."
    yield _line("consents-unproven", unproven, WARNING, sentence, "/v1/reports/consents")


def _transfers(snap: Snapshot) -> Iterator[Line]:
    stopped = [each for each in flows.listed(snap, limit=500) if each.status == "stopped"]
    yield _line(
        "transfers-stopped",
        len(stopped),
        PROBLEM,
        "Declared flows have no mechanism to rest on.",
        "/v1/transfer-flows?status=stopped",
    )


def _systems(snap: Snapshot) -> Iterator[Line]:
    known = store.webhooks(snap.connection, snap.tenant_id)
    off = sum(state != ACTIVE for state in known.values())
    yield _line(
        "webhooks-off",
        off,
        WARNING,
        "Webhooks are switched off: what listens there hears nothing.",
        "/v1/webhooks",
    )


def _proof(snap: Snapshot) -> Iterator[Line]:
    size, _ = ledger.head(snap.connection, snap.tenant_id)
    newest = latest_checkpoint(snap.connection, snap.tenant_id)
    behind = 0
    if newest is None or (newest.size < size and newest.at < snap.now - CHECKPOINT_WITHIN):
        behind = size - (0 if newest is None else newest.size)
    sentence = "Entries of the ledger are in no signed checkpoint yet: does `governance jobs` run?"
    yield _line("ledger-unsigned", behind, WARNING, sentence, "/v1/audit/checkpoint")


def _jobs(snap: Snapshot) -> Iterator[Line]:
    standings = queue.standings(snap.connection, snap.now)
    at = "governance jobs list"
    failing = sum(each.last_problem is not None for each in standings)
    yield _line("jobs-failing", failing, PROBLEM, "Jobs ended with an error the last time.", at)
    missed = sum(each.stands_for for each in queue.missed(snap.connection, snap.now - timedelta(days=1)))
    yield _line(
        "jobs-missed", missed, WARNING, "Slots of jobs were missed within a day; one run stood for them.", at
    )
    late = sum(
        each.every_seconds is not None and each.lag > timedelta(seconds=10 * each.every_seconds)
        for each in standings
    )
    yield _line("jobs-late", late, PROBLEM, "Jobs are late by ten times their period.", at)
    if not standings:
        yield Line("jobs-never", WARNING, 1, "No job has ever run here: start `governance jobs`.", at)


_LOOKS: tuple[Callable[[Snapshot], Iterator[Line]], ...] = (
    _requests,
    _keeping,
    _transfers,
    _jobs,
    _proof,
    _purposes,
    _systems,
)
