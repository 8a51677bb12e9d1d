"""Every event arrives at every system that wants it, at least once and under one id, whatever breaks."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from governance.bootstrap import Runtime, assemble
from governance.egress.addresses import read_target
from governance.egress.client import Egress, Limits
from governance.egress.signatures import verify
from governance.outbox import delivery, service, store
from governance.outbox.leases import webhook_cursor
from governance.settings import Settings
from tests.conftest import ACTOR, HandClock
from tests.governance.outbox.receiver import HANG_UP, Answer, Receiver, Request, serving
from tests.promises.servers import environ_of

ROOT = Path(__file__).parents[2]
EVENTS = 1_000
MANY_EVENTS = 10_000


@dataclass
class CarefulSystem:
    """A receiver that believes signatures only, acts once per id, and fails as real ones do.

    Of a hundred requests 30 fail with 5xx (half of them after the act), 5 hang up after the act, some are
    answered too late.
    """

    clock: Callable[[], object]
    secret: str = ""
    slow: float = 0.02
    chance: random.Random = field(default_factory=lambda: random.Random(20261121))
    acts: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, request: Request) -> Answer:
        verify(self.secret, request.headers, request.body, self.clock())  # type: ignore[arg-type]
        lot = self.chance.random()
        if lot < 0.15:
            return 500, {}, 0.0
        event_id = request.headers["webhook-id"]
        assert self.bodies.setdefault(event_id, request.body) == request.body
        assert json.loads(request.body)["id"] == event_id
        self.seen[event_id] += 1
        if self.seen[event_id] == 1:
            self.acts[event_id] += 1
        if lot < 0.30:
            return 502, {}, 0.0
        if lot < 0.35:
            return HANG_UP, {}, 0.0
        return 200, {}, 0.4 if lot < 0.35 + self.slow else 0.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving() as found:
        yield found


def allow(runtime: Runtime, *receivers: Receiver) -> None:
    named = frozenset(f"127.0.0.1:{each.port}" for each in receivers)
    runtime.settings = replace(runtime.settings, webhook_allow=named)
    runtime.resources[Settings] = runtime.settings


def listen(runtime: Runtime, receiver: Receiver, *types: str, webhook_id: str = "crm") -> str:
    with runtime.work("acme", ACTOR) as work:
        target = read_target(receiver.url, runtime.settings.webhook_allow)
        made = service.put(work, webhook_id, target=target, types=types, state="active")
    assert made.secret is not None
    return made.secret


def happen(runtime: Runtime, count: int) -> list[str]:
    ids = []
    for start in range(0, count, 100):
        with runtime.work("acme", ACTOR) as work:
            ids += [
                work.record("subject.updated", facts={"n": number}).id
                for number in range(start, min(start + 100, count))
            ]
    return ids


def deliver(runtime: Runtime, clock: HandClock) -> None:
    """Run the job again and again while time passes, for a day at the most."""
    egress = Egress(Limits(seconds=0.2), clock=clock)
    for _ in range(24 * 60):
        delivery.run_due(runtime, egress)
        with runtime.snapshot("acme", ACTOR) as snap:
            found = service.summary(snap, "crm")
        if found.behind == 0 and found.counts["pending"] == 0:
            return
        clock.forward(timedelta(minutes=1))


def campaign(runtime: Runtime, clock: HandClock, receiver: Receiver, count: int) -> tuple[int, CarefulSystem]:
    """Let so many events happen and be delivered; gives how many never arrived, and the system."""
    allow(runtime, receiver)
    system = CarefulSystem(clock, listen(runtime, receiver, "governance.subject"))
    receiver.plan = system
    ids = happen(runtime, count)
    deliver(runtime, clock)
    return len(set(ids) - set(system.acts)), system


def test_a_receiver_that_fails_a_third_of_the_time_hears_of_everything_and_acts_once(
    any_runtime: Runtime, clock: HandClock, receiver: Receiver
) -> None:
    missing, system = campaign(any_runtime, clock, receiver, EVENTS)
    assert missing == 0
    assert set(system.acts.values()) == {1}
    assert len(system.acts) == EVENTS
    assert sum(system.seen.values()) > EVENTS  # some came more than once, under the id they had
    with any_runtime.snapshot("acme", ACTOR) as snap:
        summary = service.summary(snap, "crm")
    assert summary.counts == {"pending": 0, "delivered": EVENTS, "dead": 0}
    assert summary.lag.longest is not None


@pytest.mark.full
def test_ten_thousand_events_arrive(runtime: Runtime, clock: HandClock, receiver: Receiver) -> None:
    missing, system = campaign(runtime, clock, receiver, MANY_EVENTS)
    assert (missing, set(system.acts.values())) == (0, {1})


def test_the_same_campaign_catches_a_sender_that_tries_once(
    runtime: Runtime, clock: HandClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "next_try", lambda *_: None)
    missing, _ = campaign(runtime, clock, receiver, 200)
    assert missing > 0


def test_the_same_campaign_catches_a_sender_that_moves_on_before_it_sends(
    runtime: Runtime, clock: HandClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "put_delivery", lambda *_: None)
    missing, _ = campaign(runtime, clock, receiver, 200)
    assert missing > 0


def test_several_workers_never_send_the_same_at_once(
    any_runtime: Runtime, clock: HandClock, receiver: Receiver
) -> None:
    runtime = any_runtime
    allow(runtime, receiver)
    for webhook_id in ("crm", "mail", "shop"):
        listen(runtime, receiver, "governance.subject", webhook_id=webhook_id)
    ids = happen(runtime, 150)
    workers = [
        threading.Thread(target=delivery.run_due, args=(runtime, Egress(clock=clock))) for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    deliver(runtime, clock)
    arrived = Counter(request.headers["webhook-id"] for request in receiver.requests)
    assert arrived == dict.fromkeys(ids, 3)  # nothing failed, so once for each webhook


KILLED_AT = (1, 2, 25, 49, 50, 51, 60)
"""After so many requests of a process it is killed: before, in the middle of and after batches of 50."""


@pytest.mark.parametrize(
    ("kind", "killed_at"),
    [
        ("sqlite", (1, 50)),
        ("postgresql", (25,)),
        pytest.param("sqlite", KILLED_AT, marks=pytest.mark.full),
        pytest.param("postgresql", KILLED_AT, marks=pytest.mark.full),
    ],
)
def test_a_job_killed_anywhere_loses_nothing(
    kind: str,
    killed_at: tuple[int, ...],
    make_settings: Callable[[str], Settings],
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    settings = replace(make_settings(kind), webhook_allow=frozenset({f"127.0.0.1:{receiver.port}"}))
    runtime = assemble(settings)
    try:
        system = CarefulSystem(runtime.clock, listen(runtime, receiver, "governance.subject"), slow=0.0)
        ids = happen(runtime, 300)
        for count in killed_at:
            _run_and_kill(settings, receiver, system, count, tmp_path / "job.log")
            _let_time_pass(runtime)
        receiver.plan = system
        for _ in range(60):
            delivery.run_due(runtime, Egress(Limits(seconds=1)))
            _let_time_pass(runtime)
            with runtime.snapshot("acme", ACTOR) as snap:
                summary = service.summary(snap, "crm")
            if summary.behind == 0 and summary.counts["pending"] == 0:
                break
        assert summary.counts == {"pending": 0, "delivered": 300, "dead": 0}
        assert system.acts == dict.fromkeys(ids, 1)
    finally:
        runtime.close()


def _run_and_kill(
    settings: Settings, receiver: Receiver, system: CarefulSystem, count: int, log: Path
) -> None:
    """Run the job in a process of its own, and kill -9 it while its `count`-th request is under way."""
    left = count
    dead = threading.Event()

    def plan(request: Request) -> Answer:
        nonlocal left
        answer = system(request)
        left -= 1
        if left == 0:
            os.kill(process.pid, signal.SIGKILL)
            dead.set()
        return answer

    receiver.plan = plan
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "retention_jobs", "run", "deliver-webhooks"],
            cwd=ROOT,
            env=environ_of(settings),
            stdout=sink,
            stderr=sink,
        )
    process.wait(timeout=60)
    assert dead.is_set(), log.read_text(errors="replace")[-2000:]
    assert process.returncode == -signal.SIGKILL


def _let_time_pass(runtime: Runtime) -> None:
    """Let leases end, pauses be over and retries be due, as they would be after a while."""
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        mine = webhook_cursor.c.tenant_id == "acme"
        work.connection.execute(webhook_cursor.update().where(mine).values(until=None, resumes_at=None))
        store.hurry(work.connection, "acme", "crm", work.now)
