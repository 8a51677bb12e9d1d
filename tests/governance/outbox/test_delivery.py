"""Deliveries: what arrives where and when it is tried again, on both databases, to a real receiver."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.egress.addresses import read_target
from governance.egress.client import Egress, Limits
from governance.egress.signatures import verify
from governance.ledger import service as ledger
from governance.outbox import delivery, leases, reach, service
from governance.outbox.model import ACTIVE, DISABLED, Delivery, Spread, Summary
from governance.settings import Settings
from tests.conftest import ACTOR, HandClock
from tests.governance.outbox.receiver import Receiver, Request, serving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving() as found:
        yield found


class House:
    """An installation that may call the receiver, and short words for what tests do with it."""

    def __init__(self, runtime: Runtime, clock: HandClock, receiver: Receiver) -> None:
        allowed = replace(runtime.settings, webhook_allow=frozenset({f"127.0.0.1:{receiver.port}"}))
        runtime.settings = allowed
        runtime.resources[Settings] = allowed
        self.runtime, self.clock, self.receiver = runtime, clock, receiver
        self.egress = Egress(Limits(seconds=0.5), clock=clock)

    def put(self, *types: str, webhook_id: str = "crm", state: str = ACTIVE, path: str = "") -> str | None:
        target = read_target(self.receiver.url + path, self.runtime.settings.webhook_allow)
        with self.runtime.work("acme", ACTOR) as work:
            wanted = types or ("governance.subject",)
            return service.put(work, webhook_id, target=target, types=wanted, state=state).secret

    def happen(self, count: int = 1, kind: str = "subject.updated", **facts: Any) -> list[str]:
        with self.runtime.work("acme", ACTOR) as work:
            return [work.record(kind, facts={"n": number, **facts}).id for number in range(count)]

    def run(self) -> int:
        return delivery.run_due(self.runtime, self.egress)

    def deliveries(self, state: str | None = None, webhook_id: str = "crm") -> list[Delivery]:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return service.deliveries(snap, webhook_id, state=state, before=2**62, limit=1000)

    def summary(self, webhook_id: str = "crm") -> Summary:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return service.summary(snap, webhook_id)

    def state(self, webhook_id: str = "crm") -> tuple[str, str | None]:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            found = service.get(snap, webhook_id)
        return found.state, found.because

    def kinds(self) -> list[str]:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return [each.kind for each in ledger.entries(snap.connection, "acme", limit=1000)]

    def arrived(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.receiver.requests]


@pytest.fixture
def house(any_runtime: Runtime, clock: HandClock, receiver: Receiver) -> House:
    return House(any_runtime, clock, receiver)


@pytest.fixture
def lite(runtime: Runtime, clock: HandClock, receiver: Receiver) -> House:
    return House(runtime, clock, receiver)


def failing(status: int, headers: dict[str, str] | None = None) -> Any:
    return lambda _request: (status, headers or {}, 0.0)


def test_what_happens_arrives_signed_in_the_order_of_the_ledger(house: House) -> None:
    house.happen(3)  # before there was a webhook
    secret = house.put()
    assert secret is not None
    ids = house.happen(120)
    house.happen(5, kind="consent.granted")
    assert house.run() == 120
    assert house.arrived() == ids
    for request in house.receiver.requests:
        verify(secret, request.headers, request.body, house.clock.now())
        event = json.loads(request.body)
        assert request.headers["content-type"] == "application/cloudevents+json"
        assert (event["id"], event["type"]) == (request.headers["webhook-id"], "governance.subject.updated")
    positions = [json.loads(request.body)["data"]["position"] for request in house.receiver.requests]
    assert positions == sorted(positions)
    assert house.run() == 0
    assert len(house.receiver.requests) == 120
    assert house.summary().behind == 0


def test_the_id_of_the_crm_is_looked_up_when_it_is_sent(house: House) -> None:
    from governance.subjects import service as subjects
    from governance.subjects.service import SubjectChange

    house.put()
    with house.runtime.work("acme", ACTOR) as work:
        made = subjects.put(work, "crm-123", SubjectChange(relationship="lead"))
    house.run()
    [event] = [json.loads(request.body) for request in house.receiver.requests]
    assert (event["subject"], event["data"]["external_id"]) == (made.subject_ref, "crm-123")


def test_a_failure_is_tried_again_under_the_same_id_and_a_new_timestamp(house: House) -> None:
    secret = house.put()
    [event_id] = house.happen()
    house.receiver.plan = failing(500)
    assert house.run() == 0
    [waiting] = house.deliveries("pending")
    assert (waiting.event_id, waiting.attempts, waiting.problem) == (event_id, 1, "http-500")
    assert waiting.next_at is not None
    assert timedelta(seconds=4) <= waiting.next_at - house.clock.now() <= timedelta(seconds=6)
    assert house.run() == 0
    assert len(house.arrived()) == 1  # not due yet
    house.receiver.plan = failing(204)
    house.clock.forward(timedelta(seconds=10))
    assert house.run() == 1
    assert house.arrived() == [event_id] * 2
    first, second = house.receiver.requests
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.body == second.body
    verify(secret or "", second.headers, second.body, house.clock.now())
    [done] = house.deliveries("delivered")
    assert (done.attempts, done.lag, done.problem) == (2, timedelta(seconds=10), None)


def test_one_failing_event_does_not_hold_up_the_others(house: House) -> None:
    house.put()
    ids = house.happen(20)
    house.receiver.plan = lambda request: (500 if request.headers["webhook-id"] == ids[0] else 200, {}, 0.0)
    assert house.run() == 19
    assert [each.event_id for each in house.deliveries("pending")] == [ids[0]]


def test_a_receiver_that_is_gone_is_switched_off(house: House) -> None:
    house.put()
    ids = house.happen(10)
    house.receiver.plan = failing(410)
    assert house.run() == 0
    assert len(house.arrived()) == 1
    assert house.state() == (DISABLED, "gone")
    assert house.kinds().count("webhook.disabled") == 1
    house.clock.forward(timedelta(days=1))
    house.run()
    assert len(house.arrived()) == 1
    # Switched on again, it goes on where it stopped: nothing is lost.
    house.receiver.plan = failing(200)
    house.put(state=ACTIVE)
    assert house.run() == 10
    assert set(house.arrived()) == set(ids)


def test_retry_after_is_honoured_for_the_whole_receiver(house: House) -> None:
    house.put()
    house.happen(10)
    house.receiver.plan = failing(429, {"Retry-After": "600"})
    house.run()
    assert len(house.arrived()) == 1
    assert house.summary().resumes_at == house.clock.now() + timedelta(seconds=600)
    house.clock.forward(timedelta(seconds=599))
    house.run()
    assert len(house.arrived()) == 1
    house.receiver.plan = failing(200)
    house.clock.forward(timedelta(seconds=1))
    assert house.run() == 10


def test_a_dead_receiver_is_left_alone_and_what_waits_is_sent_when_it_is_back(house: House) -> None:
    house.put()
    ids = house.happen(200)
    house.receiver.plan = failing(503)
    for _ in range(40):  # a bit over two days
        house.run()
        house.clock.forward(timedelta(hours=1.3))
    tried = len(house.arrived())
    assert tried <= 40 * delivery.IN_A_ROW
    house.receiver.plan = failing(200)
    house.run()
    house.clock.forward(timedelta(seconds=1))
    house.run()
    assert set(house.arrived()[tried:]) == set(ids)
    assert house.summary().counts == {"pending": 0, "delivered": 200, "dead": 0}


def test_after_72_hours_an_event_is_given_up_and_that_is_recorded_and_not_pushed(house: House) -> None:
    house.put("governance")
    [event_id] = house.happen()
    house.receiver.plan = lambda request: (
        500 if request.headers["webhook-id"] == event_id else 200,
        {},
        0.0,
    )
    for _ in range(80):
        house.run()
        house.clock.forward(timedelta(hours=1))
    [dead] = house.deliveries("dead")
    assert (dead.event_id, dead.next_at) == (event_id, None)
    assert dead.last_tried_at - dead.first_tried_at <= timedelta(hours=72), "looked at by the hour"
    assert house.kinds().count("webhook.undelivered") == 1
    sent = {json.loads(request.body)["type"] for request in house.receiver.requests}
    assert "governance.webhook.undelivered" not in sent
    attempts = len([each for each in house.arrived() if each == event_id])
    house.clock.forward(timedelta(days=10))
    house.run()
    assert house.arrived().count(event_id) == attempts == dead.attempts


def test_timeouts_and_hang_ups_are_failures(lite: House) -> None:
    lite.put()
    lite.happen(2)
    waits = iter([1.0])
    lite.receiver.plan = lambda _request: (200, {}, next(waits, 0.0))
    assert lite.run() == 1
    [slow] = lite.deliveries("pending")
    assert slow.problem == "timeout"


def test_a_worker_that_lost_its_lease_writes_nothing(house: House) -> None:
    house.put()
    house.happen(3)
    runtime = house.runtime
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        slow = leases.claim(work.connection, "acme", "crm", "slow", work.now)
        assert slow is not None
        assert leases.claim(work.connection, "acme", "crm", "other", work.now) is None
    assert house.run() == 0  # somebody has it
    house.clock.forward(leases.LEASE)
    assert house.run() == 3
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        assert not leases.finish(work.connection, "acme", slow, position=0, failures=0, resumes_at=None)
    assert house.run() == 0
    assert len(house.arrived()) == 3


def test_during_a_rotation_both_secrets_sign_and_afterwards_only_the_new_one(lite: House) -> None:
    old = lite.put() or ""
    with lite.runtime.work("acme", ACTOR) as work:
        new = service.secret(work, service.rotate(work, "crm", overlap=timedelta(hours=1)))
    assert new != old

    def signed() -> Request:
        lite.happen()
        assert lite.run() == 1
        return lite.receiver.requests[-1]

    both = signed()
    for secret in (old, new):
        verify(secret, both.headers, both.body, lite.clock.now())
    lite.clock.forward(timedelta(hours=1))
    only = signed()
    assert " " not in only.headers["webhook-signature"]
    verify(new, only.headers, only.body, lite.clock.now())


def test_neither_secret_nor_url_lies_in_the_ledger_and_the_secret_is_sealed(lite: House) -> None:
    secret = lite.put(path="token-in-the-path") or ""
    with lite.runtime.work("acme", ACTOR) as work:
        service.rotate(work, "crm", overlap=timedelta(hours=1))
    with lite.runtime.snapshot("acme", ACTOR) as snap:
        leaves = b"".join(each.leaf for each in ledger.entries(snap.connection, "acme", limit=1000))
        rows = snap.connection.exec_driver_sql("SELECT * FROM webhook").all()
    assert b"token-in-the-path" not in leaves
    assert secret.encode() not in leaves
    assert secret not in str(rows)


def test_the_summary_tells_how_long_acknowledgements_take_and_when_the_last_system_knew(house: House) -> None:
    house.put(webhook_id="fast", path="fast")
    house.put(webhook_id="slow", path="slow")
    house.happen(100)
    house.clock.forward(timedelta(seconds=2))
    with house.runtime.work("acme", ACTOR) as work:
        service.put(
            work,
            "slow",
            target=read_target(house.receiver.url + "slow", house.runtime.settings.webhook_allow),
            types=["governance.subject"],
            state=DISABLED,
        )
    assert house.run() == 100
    fast = house.summary("fast")
    assert (fast.lag.p50, fast.lag.p95, fast.lag.longest) == (timedelta(seconds=2),) * 3
    assert fast.lag_of_all.longest == timedelta(seconds=2)  # the other one is switched off
    house.put(webhook_id="slow", path="slow")
    assert house.summary("fast").lag_of_all.longest is None  # it still has to hear of all
    house.clock.forward(timedelta(seconds=30))
    assert house.run() == 100
    for webhook_id in ("fast", "slow"):
        assert house.summary(webhook_id).lag_of_all.p95 == timedelta(seconds=32)
    assert house.summary("fast").lag.longest == timedelta(seconds=2)
    assert house.summary("slow").lag.p50 == timedelta(seconds=32)


def test_a_no_is_told_once_the_last_system_that_wants_it_has_acknowledged(house: House) -> None:
    def opt_outs() -> reach.Reach:
        with house.runtime.snapshot("acme", ACTOR) as snap:
            return reach.of_opt_outs(snap)

    house.happen(1, "consent.withdrawn")
    assert opt_outs() == reach.Reach((), 0, 0, 0, Spread(None, None, None))
    house.put("governance.consent", webhook_id="fast", path="fast")
    house.put("governance.consent.withdrawn", webhook_id="slow", path="slow")
    house.put("governance.subject", webhook_id="deaf", path="deaf")
    house.happen(3, "consent.withdrawn")
    house.happen(1, "consent.objected")
    house.happen(2, "consent.granted")
    assert opt_outs().systems == ("fast", "slow")
    assert (opt_outs().told, opt_outs().waiting) == (0, 4)
    slow_works = False
    house.receiver.plan = lambda request: (200 if slow_works or "slow" not in request.path else 500, {}, 0.0)
    house.clock.forward(timedelta(seconds=2))
    house.run()
    assert (opt_outs().told, opt_outs().waiting) == (1, 3), "the objection, which the slow one does not want"
    assert opt_outs().lag.longest == timedelta(seconds=2)
    slow_works = True
    house.clock.forward(timedelta(minutes=1))
    house.run()
    assert (opt_outs().told, opt_outs().waiting, opt_outs().given_up) == (4, 0, 0)
    assert (opt_outs().lag.p50, opt_outs().lag.longest) == (timedelta(seconds=62),) * 2
    slow_works = False
    house.happen(1, "consent.withdrawn")
    for _ in range(200):
        house.clock.forward(timedelta(hours=1))
        house.run()
    assert (opt_outs().waiting, opt_outs().given_up) == (0, 1)


def test_one_tenant_s_events_never_go_to_another_s_webhook(house: House) -> None:
    house.runtime.create_tenant("other", name="Other", country="DE", address=None)
    house.put("governance")
    with house.runtime.work("other", ACTOR) as work:
        work.record("subject.updated", facts={"canary": "of-other"})
    [event_id] = house.happen()
    house.run()
    assert event_id in house.arrived()
    assert not any(b"of-other" in request.body for request in house.receiver.requests)


def test_old_deliveries_are_forgotten_and_those_that_wait_are_not(house: House) -> None:
    house.put()
    ids = house.happen(2)
    house.receiver.plan = lambda request: (500 if request.headers["webhook-id"] == ids[0] else 200, {}, 0.0)
    house.run()
    house.clock.forward(timedelta(days=8))
    assert delivery.forget_old(house.runtime) == 1
    assert [each.event_id for each in house.deliveries()] == [ids[0]]


def test_a_removed_webhook_comes_back_with_nothing_of_its_past(house: House) -> None:
    first = house.put()
    house.happen(2)
    with house.runtime.work("acme", ACTOR) as work:
        service.delete(work, "crm")
    assert house.run() == 0
    second = house.put()
    assert second not in (None, first)
    [event_id] = house.happen()
    house.run()
    assert house.arrived() == [event_id]


def test_a_target_that_the_operator_no_longer_allows_is_not_connected_to(lite: House) -> None:
    lite.put()
    lite.happen(1)
    bare = replace(lite.runtime.settings, webhook_allow=frozenset())
    lite.runtime.resources[Settings] = bare
    assert lite.run() == 0
    assert lite.receiver.connections == 0
    [waiting] = lite.deliveries("pending")
    assert waiting.problem == "address-refused"
