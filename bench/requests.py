"""What is measured over HTTP: single checks, fifty at once, authorised sends, consent writes."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from bench import load, population
from bench.growth import question
from bench.load import Round
from bench.measuring import Figure, median, rounded
from bench.plan import Plan
from bench.screenings import screen
from bench.serving import Served, served
from bench.sites import ACTOR, TENANT, Site
from governance.communications import screening_results

EVALUATIONS = 50
BATCH = 100
_NDJSON = "application/x-ndjson"
_CONNECTIONS = (1, 4)

Next = Callable[[], bytes]
Expect = Callable[[bytes], bool]


def checks(plan: Plan) -> Iterator[Figure]:
    """Logged single checks: `POST /access/v1/evaluation`."""
    for site, server in _servers(plan):
        asked = [
            load.written(server, "/access/v1/evaluation", _json(question(person)))
            for person in population.external_ids(site.people, 5_000)
        ]
        for connections in _CONNECTIONS:
            rounds = _rounds(plan, server, load.repeated(asked), connections, b'"decision":')
            yield _figure(
                plan, "checks", site, "logged single checks", connections, rounds,
                aim=">= 1,500 a second with p50 <= 1 ms at one connection",
            )  # fmt: skip


def evaluations(plan: Plan) -> Iterator[Figure]:
    """Fifty logged checks in one request: `POST /access/v1/evaluations`."""
    for site, server in _servers(plan):
        asked = []
        for turn in range(100):
            people = population.external_ids(site.people, EVALUATIONS, seed=turn)
            body = question("0") | {
                "evaluations": [{"resource": {"type": "data_subject", "id": person}} for person in people]
            }
            asked.append(load.written(server, "/access/v1/evaluations", _json(body)))
        for connections in _CONNECTIONS:
            rounds = _rounds(plan, server, load.repeated(asked), connections, b'"evaluations":')
            yield _figure(
                plan, "evaluations", site, "logged checks, fifty a request", connections, rounds,
                each=EVALUATIONS, aim=">= 30,000 checks a second",
            )  # fmt: skip


def sends(plan: Plan) -> Iterator[Figure]:
    """Messages authorised at their hand-over: `POST /v1/communications`, and a hundred in a batch."""
    for site, server in _servers(plan):
        people = _permitted(site)
        run = os.urandom(4).hex()

        def message(number: int, people: list[str] = people, run: str = run) -> bytes:
            return _json(
                {
                    "subject": {"id": people[number % len(people)]},
                    "message_id": f"bench-{run}-{number}",
                    "channel": "email",
                    "message_class": "promotional",
                    "purpose": "marketing",
                    "campaign": "bench",
                }
            )

        def single(number: int, server: Served = server, message: Any = message) -> bytes:
            return load.written(server, "/v1/communications", message(number))

        def batch(number: int, server: Served = server, message: Any = message) -> bytes:
            lines = [message(10**9 + number * BATCH + line) for line in range(BATCH)]
            return load.written(server, "/v1/communications/batch", b"\n".join(lines), _NDJSON)

        one = load.made(single)
        for connections in _CONNECTIONS:
            rounds = _rounds(plan, server, one, connections, b"HTTP/1.1 201", at_start=True)
            yield _figure(plan, "sends", site, "authorised sends, one a request", connections, rounds)
        rounds = _rounds(plan, server, load.made(batch), 1, b'"status":201', times=BATCH)
        yield _figure(plan, "sends", site, "authorised sends, a hundred a batch", 1, rounds, each=BATCH)


def consents(plan: Plan) -> Iterator[Figure]:
    """Consent events with evidence and receipt: `POST /v1/consents`."""
    for site, server in _servers(plan):
        people = _permitted(site)  # of others some are on their way out, and nothing is recorded of them

        def consent(number: int, server: Served = server, people: list[str] = people) -> bytes:
            body = {
                "subject": {"id": people[number % len(people)]},
                "purpose": "marketing",
                "channel": "email",
                "status": "withdrawn" if number % 4 == 3 else "granted",
                "method": "web_form",
                "evidence": {"form_url": "https://www.example.org/newsletter"},
            }
            return load.written(server, "/v1/consents", _json(body))

        write = load.made(consent)
        for connections in _CONNECTIONS:
            rounds = _rounds(plan, server, write, connections, b"HTTP/1.1 201", at_start=True)
            yield _figure(plan, "consents", site, "consent writes with receipt", connections, rounds)


def _servers(plan: Plan) -> Iterator[tuple[Site, Served]]:
    for database in plan.databases:
        site = plan.sites.get(database, plan.served)
        with served(site) as server:
            yield site, server


def _permitted(site: Site) -> list[str]:
    """People who may be written to, as a screening finds them."""
    done = screen(site)
    with site.runtime.snapshot(TENANT, ACTOR) as snapshot:
        return [str(each["id"]) for each in screening_results.results(snapshot, done, decision="allow")]


def _rounds(
    plan: Plan,
    server: Served,
    next_request: Next,
    connections: int,
    wanted: bytes,
    *,
    at_start: bool = False,
    times: int = 1,
) -> list[Round]:
    def expect(answer: bytes) -> bool:
        if at_start:
            return answer.startswith(wanted)
        return answer.startswith(b"HTTP/1.1 200") and answer.count(wanted) >= times

    def once(seconds: float) -> Round:
        return load.run(server, next_request, connections=connections, seconds=seconds, expect=expect)

    once(min(1.0, plan.seconds))  # warms caches and threads
    return [once(plan.seconds) for _ in range(plan.rounds)]


def _figure(
    plan: Plan,
    name: str,
    site: Site,
    what: str,
    connections: int,
    rounds: list[Round],
    *,
    each: int = 1,
    aim: str = "",
) -> Figure:
    values: dict[str, Any] = {
        "per_second": rounded(median([one.per_second for one in rounds]) * each),
        "p50_ms": rounded(median([one.p50_ms for one in rounds])),
        "p99_ms": rounded(median([one.p99_ms for one in rounds])),
        "server_cpu_ms": rounded(median([one.server_cpu_ms for one in rounds])),
        "connections": connections,
    }
    if each > 1:
        values["requests_per_second"] = rounded(median([one.per_second for one in rounds]))
    return Figure(f"{what} ({site.people:,} people)", site.database, values, plan.command(name), aim=aim)


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
