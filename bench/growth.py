"""How a logged check's latency grows with the number of people: in process, two populations side by side."""

from collections.abc import Iterator
from time import perf_counter

from bench import population
from bench.measuring import Figure, median, percentile, rounded
from bench.plan import Plan
from bench.sites import ACTOR, TENANT, Site
from governance.evaluation import service as evaluation
from governance.evaluation.model import read_request

_BLOCK = 100


def question(person: str) -> dict[str, object]:
    """An AuthZEN question about one person."""
    return {
        "subject": {"type": "component", "id": "bench"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
        },
        "resource": {"type": "data_subject", "id": person},
    }


def check(site: Site, person: str) -> None:
    """One check as the API makes it, without HTTP: its own snapshot, its own commit in the decision log."""
    request = read_request(question(person))
    with site.runtime.snapshot(TENANT, ACTOR) as snapshot:
        record = evaluation.evaluate(snapshot, request)
    site.runtime.decision_log.append(TENANT, [record])
    record.answer()


def measure(plan: Plan) -> Iterator[Figure]:
    """Check people of a small and a large population in turn, so that noise meets both."""
    for database in plan.databases:
        small, large = (plan.sites.get(database, people) for people in plan.grown)
        people = {
            site.people: population.external_ids(site.people, plan.checks, seed=3) for site in (small, large)
        }
        taken: dict[int, list[float]] = {small.people: [], large.people: []}
        for site in (small, large):
            for person in population.external_ids(site.people, 200, seed=4):
                check(site, person)
        for start in range(0, plan.checks, _BLOCK):
            for site in (small, large):
                for person in people[site.people][start : start + _BLOCK]:
                    began = perf_counter()
                    check(site, person)
                    taken[site.people].append((perf_counter() - began) * 1000)
        few, many = sorted(taken[small.people]), sorted(taken[large.people])
        yield Figure(
            f"growth of a logged check from {small.people:,} to {large.people:,} people (in process)",
            database,
            {
                "ratio_p50": rounded(median(many) / median(few)),
                "small_p50_ms": rounded(median(few)),
                "large_p50_ms": rounded(median(many)),
                "small_p99_ms": rounded(percentile(few, 0.99)),
                "large_p99_ms": rounded(percentile(many, 0.99)),
            },
            plan.command("growth"),
            aim="ratio <= 1.2",
        )
