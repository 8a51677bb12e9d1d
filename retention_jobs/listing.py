"""How the jobs are getting on: the timetable beside what the queue knows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from governance.clock import wire
from governance.queue import service as queue
from governance.queue.model import Standing
from governance.tenants import store as tenants
from retention_jobs.schedule import Job

Row = dict[str, str | int | float | None]


def rows(connection: Connection, jobs: Sequence[Job], now: datetime) -> list[Row]:
    """A row for each job; times as RFC 3339, `lag_seconds` 0 where nothing waits.

    A job that no scheduler ever offered has been due since the first tenant was made.
    """
    timetable = {job.name: job.every_seconds for job in jobs}
    since = tenants.first_instant(connection)
    found = queue.standings(connection, now, timetable=timetable, since=since)
    known = {each.kind: each for each in found}
    return [_row(job, known[job.name]) for job in jobs]


def _row(job: Job, standing: Standing) -> Row:
    row: Row = {"name": job.name, "every_seconds": job.every_seconds, "means": job.means}
    return row | {
        "last_started_at": _at(standing.last_started_at),
        "last_ended_at": _at(standing.last_ended_at),
        "last_done": standing.last_done,
        "last_problem": standing.last_problem,
        "next_at": _at(standing.next_at),
        "lag_seconds": round(standing.lag.total_seconds(), 3),
        "backlog": standing.backlog,
        "running": standing.running,
        **{name: getattr(standing, name) for name in COUNTERS},
    }


COUNTERS = ("runs", "failures", "given_up", "missed", "overlapped")
"""Counted since the installation began. `missed`: slots that no scheduler offered in time."""


def missed(connection: Connection, now: datetime) -> list[Row]:
    """The runs of the last week that stood for slots that were missed or overlapped, newest first."""
    return [
        {
            "name": each.kind,
            "due_at": wire(each.due_at),
            "started_at": _at(each.started_at),
            "stands_for": each.stands_for,
        }
        for each in queue.missed(connection, now - queue.KEEP_DONE)
    ]


def lines(found: Sequence[Row]) -> list[str]:
    """The rows as lines of a table for people."""
    wide = max((len(str(row["name"])) for row in found), default=0)
    head = f"{'job':<{wide}} {'every':>7} {'last run':<20} {'next':<20} {'lag':>7} {'backlog':>7} "
    head += f"{'failed':>6} {'missed':>6}"
    return [
        head,
        *(
            f"{row['name']:<{wide}} {row['every_seconds']:>5} s {_short(row['last_ended_at']):<20} "
            f"{_short(row['next_at']):<20} {_seconds(row['lag_seconds']):>7} {row['backlog']:>7} "
            f"{row['failures']:>6} {row['missed']:>6}"
            for row in found
        ),
    ]


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else wire(instant)


def _short(written: str | int | float | None) -> str:
    return "never" if written is None else f"{str(written)[:19]}Z"


def _seconds(lag: str | int | float | None) -> str:
    return "-" if lag is None else f"{float(lag):.0f} s"
