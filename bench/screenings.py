"""Screenings: one question asked about everyone, from the queue to the committed results."""

from collections.abc import Iterator
from typing import Any

from bench.measuring import Figure, median, peak_growth_mib, rounded, timed
from bench.plan import Plan
from bench.sites import ACTOR, TENANT, Site
from governance.communications import screening_service

QUESTION = {
    "action": "communication.send",
    "channel": "email",
    "message_class": "promotional",
    "purpose": "marketing",
}


def measure(plan: Plan) -> Iterator[Figure]:
    """Screen everyone of each population."""
    for people in plan.screened:
        for database in plan.databases:
            site = plan.sites.get(database, people)
            yield _screened(plan, site)


def screen(site: Site, question: dict[str, Any] = QUESTION) -> str:
    """Queue a screening of everyone and work it off; returns its id."""
    with site.runtime.work(TENANT, ACTOR) as work:
        queued = screening_service.create(work, question, {"all": True})
    if not screening_service.run(site.runtime, TENANT, queued.screening_id):
        raise RuntimeError("the screening was not run")
    return queued.screening_id


def _screened(plan: Plan, site: Site) -> Figure:
    found: list[str] = []
    grown: list[float | None] = []
    seconds = [
        timed(lambda: grown.append(peak_growth_mib(lambda: found.append(screen(site)))))
        for _ in range(plan.rounds)
    ]
    with site.runtime.snapshot(TENANT, ACTOR) as snapshot:
        done = screening_service.find(snapshot, found[-1])
    if done.counts.total != site.people:
        raise RuntimeError(f"{done.counts.total} of {site.people} people were screened")
    took = median(seconds)
    return Figure(
        f"screening of {site.people:,} people",
        site.database,
        {
            "seconds": rounded(took),
            "people_per_second": rounded(site.people / took),
            # The first run fills the connection's own page cache, which is bounded.
            "peak_memory_growth_mib": grown[-1],
            "first_peak_memory_growth_mib": grown[0],
        },
        plan.command("screening"),
        aim="1,000,000 people in <= 5 s, memory flat",
        notes={"allowed": done.counts.allowed, "denied": done.counts.denied},
    )
