import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime, assemble
from governance.communications import gate as gates
from governance.communications import screening_leases as leases
from governance.communications import screening_service as screenings
from governance.communications.model import read_check
from governance.communications.screening import Screening
from governance.communications.screening_delta import delta
from governance.communications.screening_results import results, verify
from governance.consent import service as consents
from governance.consent.service import NewConsent, NewObjection, NewSuppression, NoticeRef
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.ledger import service as ledger
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.model import Identifier
from governance.subjects.service import SubjectChange, SubjectReference
from governance.work import Work
from tests.conftest import ACTOR, Filling, HandClock

EMAIL = {
    "action": "communication.send",
    "channel": "email",
    "message_class": "promotional",
    "purpose": "marketing",
}
ALL = {"all": True}
STAGES = ("lead", "contact", "client", "active_service", "dormant", "churned", None)
COUNTRIES = ("US", "DE", "FR", "CA", "BR", None)


def screen(runtime: Runtime, audience: Any = ALL, question: Any = EMAIL) -> Screening:
    with runtime.work("acme", ACTOR) as work:
        queued = screenings.create(work, question, audience)
    assert queued.status == "queued"
    assert screenings.run(runtime, "acme", queued.screening_id)
    with runtime.snapshot("acme", ACTOR) as snap:
        return screenings.find(snap, queued.screening_id)


def answers(runtime: Runtime, done: Screening, decision: str | None = None) -> dict[str, dict[str, Any]]:
    with runtime.snapshot("acme", ACTOR) as snap:
        found = list(results(snap, done.screening_id, decision=decision))
    assert len({each["id"] for each in found}) == len(found)
    return {each["id"]: each for each in found}


def put(work: Work, external_id: str, **named: Any) -> str:
    return subjects.put(work, external_id, SubjectChange(**named)).subject_ref


def email(name: str) -> Identifier:
    return Identifier("email", f"{name}@example.org")


def populate(runtime: Runtime, people: int, seed: int = 3) -> None:
    """People of all kinds: countries, stages, points, yeses, noes, suppressions, restriction, merges."""
    chance = random.Random(seed)
    with runtime.work("acme", ACTOR) as work:
        consents.put_notice(work, "newsletter", "1", {"en": "We write to you every month."})
    for batch in range(0, people, 50):
        with runtime.work("acme", ACTOR) as work:
            for number in range(batch, min(batch + 50, people)):
                _somebody(work, chance, number)
    with runtime.work("acme", ACTOR) as work:
        for number in range(0, people - 20, 40):
            one, other = (subjects.get(work, f"crm-{each}").subject_ref for each in (number, number + 1))
            consents.merge(work, one, other)


def _somebody(work: Work, chance: random.Random, number: int) -> None:
    points = [email(f"person{number}-{place}") for place in range(chance.choice((0, 1, 1, 1, 2, 3)))]
    if chance.random() < 0.1:
        points.append(email(f"shared{chance.randrange(5)}"))
    ref = put(
        work,
        f"crm-{number}",
        country=chance.choice(COUNTRIES),
        relationship=chance.choice(STAGES),
        identifiers=points,
    )
    point = chance.choice([*points, None])
    dice = chance.random()
    if dice < 0.3:
        notice = NoticeRef("newsletter", "1", "en") if chance.random() < 0.8 else None
        consents.record(
            work,
            NewConsent(
                ref,
                "marketing",
                "granted",
                "web_form",
                channel=chance.choice(("email", None)),
                contact_point=point,
                notice=notice,
                expires_at=work.now + timedelta(days=chance.randrange(1, 60)) if dice < 0.1 else None,
                evidence={"form_url": "https://example.org/join"} if notice is None and dice < 0.15 else None,
            ),
        )
    elif dice < 0.45:
        consents.record(
            work,
            NewConsent(
                ref, "marketing", chance.choice(("withdrawn", "refused")), "web_form", contact_point=point
            ),
        )
    elif dice < 0.55:
        consents.object_(work, NewObjection(ref, "all", None, "email"))
    elif dice < 0.65:
        scope = chance.choice(("marketing", "all", "undeliverable"))
        consents.suppress(work, NewSuppression(scope=scope, reason="complaint", subject_ref=ref))
    elif dice < 0.7 and points:
        consents.suppress(
            work, NewSuppression(scope="marketing", reason="complaint", contact_point=points[0])
        )
    elif dice < 0.75:
        subjects.set_restriction(work, ref, True)
    elif dice < 0.85:
        happened = chance.choice(("purchase", "inquiry", "contract_signed", "contract_ended"))
        past = work.now - timedelta(days=chance.choice((1, 100, 183, 184, 200, 730, 731, 800)))
        subjects.record_event(work, ref, event=happened, occurred_at=past)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_runtime(
    request: pytest.FixtureRequest, make_settings: Callable[..., Settings], clock: HandClock
) -> Iterator[Runtime]:
    """An installation on each database, with as many people of all kinds as the test says (`people`)."""
    marker = request.node.get_closest_marker("people")
    filling = None
    if marker is not None:
        (people,) = marker.args
        filling = Filling(f"{people} people of all kinds", lambda runtime: populate(runtime, people))
    runtime = assemble(make_settings(request.param, filling), clock=clock)
    yield runtime
    runtime.close()


@pytest.mark.people(160)
@pytest.mark.parametrize(
    "question",
    [
        EMAIL,
        {**EMAIL, "message_class": "transactional", "purpose": "contract"},
        {**EMAIL, "channel": "sms"},
        {**EMAIL, "message_class": "transactional", "contains_promotion": True},
        {**EMAIL, "purpose": "research"},
        {**EMAIL, "context": {"time": "2027-06-01T00:00:00Z", "sender_country": "CA"}},
    ],
)
def test_a_screening_and_the_single_checks_give_the_same_answer_for_everyone(
    any_runtime: Runtime, question: dict[str, Any]
) -> None:
    done = screen(any_runtime, question=question)
    assert done.status == "completed", done.failure
    found = answers(any_runtime, done)
    assert len(found) == done.counts.total == done.counts.allowed + done.counts.denied
    codes: Counter[str] = Counter()
    with any_runtime.snapshot("acme", ACTOR) as snap:
        gate = gates.open_gate(snap)
        for external, answer in found.items():
            record = gate.check(
                read_check(SubjectReference(id=external), question, question.get("context", {}))
            )
            assert answer["decision"] == ("allow" if record.allowed else "deny"), external
            assert answer["codes"] == list(record.codes), external
            assert answer["contact_points"] == [point.document() for point in record.contact_points] or (
                not record.allowed
            )
            if not record.allowed:
                codes.update(set(record.codes))
    assert dict(done.counts.reasons) == dict(codes)
    assert sum(people for _, people in done.counts.waterfall) == done.counts.denied


@pytest.mark.people(120)
def test_everyone_is_counted_and_merged_records_are_not_people(any_runtime: Runtime) -> None:
    done = screen(any_runtime)
    merged = len(range(0, 100, 40))
    assert done.counts.total == 120 - merged
    assert done.counts.allowed > 5
    assert done.counts.denied > 50
    allowed, denied = (answers(any_runtime, done, decision) for decision in ("allow", "deny"))
    assert (len(allowed), len(denied)) == (done.counts.allowed, done.counts.denied)
    assert all(not each["codes"] for each in allowed.values())
    assert all(each["codes"] for each in denied.values())


def test_the_receipt_and_the_ledger_say_what_the_screening_found(runtime: Runtime) -> None:
    populate(runtime, 60)
    done = screen(runtime)
    assert done.receipt is not None
    assert done.receipt.count(".") == 2
    with runtime.snapshot("acme", ACTOR) as snap:
        entries = ledger.entries(snap.connection, "acme", limit=500)
        assert verify(snap, done.screening_id)
    told = next(entry for entry in entries if entry.kind == "screening.completed")
    assert told.facts["results_root"] == done.results_root
    assert told.facts["total"] == done.counts.total
    assert told.facts["allowed"] == done.counts.allowed
    assert done.epoch == told.position


@pytest.mark.parametrize("column", ["outcomes", "members"])
def test_a_changed_answer_no_longer_fits_the_receipt(runtime: Runtime, column: str) -> None:
    populate(runtime, 60)
    done = screen(runtime)
    with runtime.engine.begin() as connection:
        blob = connection.exec_driver_sql(f"SELECT {column} FROM screening_chunk").scalar_one()
        changed = blob[:-1] + bytes([blob[-1] ^ 1])
        connection.exec_driver_sql(f"UPDATE screening_chunk SET {column} = ?", (changed,))
    with runtime.snapshot("acme", ACTOR) as snap:
        assert not verify(snap, done.screening_id)


@pytest.mark.people(120)
def test_a_filter_asks_only_those_that_it_names(any_runtime: Runtime) -> None:
    everyone = answers(any_runtime, screen(any_runtime))
    done = screen(any_runtime, {"filter": {"relationship": ["lead", "client"], "country": ["DE", "US"]}})
    found = answers(any_runtime, done)
    assert 0 < len(found) < len(everyone)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        for external in everyone:
            person = subjects.get(snap, external)
            named = person.stage_relationship in ("lead", "client") and person.country in ("DE", "US")
            assert (external in found) == named
    assert all(everyone[external] == answer for external, answer in found.items())


@pytest.mark.people(60)
def test_of_a_list_of_ids_none_is_lost_and_each_is_counted_once(any_runtime: Runtime) -> None:
    everyone = answers(any_runtime, screen(any_runtime))
    asked = ["crm-5", "nobody-1", "crm-7", "crm-5", "nobody-2", "crm-8"]
    done = screen(any_runtime, {"ids": asked})
    found = answers(any_runtime, done)
    assert set(found) == set(asked)
    assert done.counts.total == 5
    for external in ("crm-5", "crm-7", "crm-8"):
        assert found[external] == everyone[external]
    assert found["nobody-1"]["decision"] == "deny"
    assert "unknown-subject" in found["nobody-1"]["codes"]
    with any_runtime.snapshot("acme", ACTOR) as snap:
        request = read_check(SubjectReference(id="nobody-1"), EMAIL)
        assert list(gates.check(snap, request).codes) == found["nobody-1"]["codes"]


def test_an_id_that_was_merged_or_became_known_before_the_run_is_asked_about_as_it_is_then(
    runtime: Runtime,
) -> None:
    with runtime.work("acme", ACTOR) as work:
        one, two = put(work, "crm-1", country="US"), put(work, "crm-2", country="US")
        queued = screenings.create(work, EMAIL, {"ids": ["crm-1", "crm-2", "late", "never"]})
    with runtime.work("acme", ACTOR) as work:
        consents.merge(work, one, two)
        put(work, "late", country="US", relationship="lead")
    assert screenings.run(runtime, "acme", queued.screening_id)
    with runtime.snapshot("acme", ACTOR) as snap:
        found = {each["id"]: each for each in results(snap, queued.screening_id)}
    assert set(found) == {"crm-2", "late", "never"}
    assert found["late"]["decision"] == "allow"


def test_delta_tells_only_whose_answer_changed(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        for number in range(6):
            put(work, f"crm-{number}", country="US", relationship="lead", identifiers=[email(f"p{number}")])
    listed = {"ids": [f"crm-{number}" for number in range(6)] + ["later", "nobody"]}
    before = screen(any_runtime, listed)
    unchanged = screen(any_runtime, listed)
    with any_runtime.work("acme", ACTOR) as work:
        ref = subjects.get(work, "crm-2").subject_ref
        consents.record(work, NewConsent(ref, "marketing", "withdrawn", "unsubscribe_link"))
        put(work, "later", country="US", relationship="lead")
    now = screen(any_runtime, listed)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert before.epoch is not None
        assert list(delta(snap, unchanged.screening_id, since=before.epoch)) == []
        changes = {each["id"]: each for each in delta(snap, now.screening_id, since=before.epoch)}
        with pytest.raises(NotFoundError):
            delta(snap, now.screening_id, since=1)
    assert set(changes) == {"crm-2", "later"}
    assert (changes["crm-2"]["was"], changes["crm-2"]["decision"]) == ("allow", "deny")
    assert "consent-withdrawn" in changes["crm-2"]["codes"]
    assert (changes["later"]["was"], changes["later"]["decision"]) == ("deny", "allow")


def test_delta_over_everyone_tells_of_newcomers_and_of_those_who_are_gone(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        one, two = put(work, "crm-1", country="US", relationship="lead"), put(work, "crm-2", country="US")
    before = screen(runtime)
    with runtime.work("acme", ACTOR) as work:
        consents.merge(work, two, one)
        put(work, "crm-3", country="DE")
    now = screen(runtime)
    with runtime.snapshot("acme", ACTOR) as snap:
        assert before.epoch is not None
        changes = {each["id"]: each for each in delta(snap, now.screening_id, since=before.epoch)}
    assert changes["crm-2"]["decision"] is None
    assert changes["crm-3"]["was"] is None
    assert changes["crm-3"]["decision"] == "deny"


def test_delta_since_its_own_epoch_compares_the_screening_with_now(
    any_runtime: Runtime, clock: HandClock
) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        consents.put_notice(work, "newsletter", "1", {"en": "We write to you every month."})
        refs = {
            name: put(work, name, country=country, relationship="lead", identifiers=[email(name)])
            for name, country in (("stays", "US"), ("leaves", "US"), ("barred", "US"), ("runs-out", "DE"))
        }
        consents.record(
            work,
            NewConsent(
                refs["runs-out"],
                "marketing",
                "granted",
                "web_form",
                channel="email",
                contact_point=email("runs-out"),
                notice=NoticeRef("newsletter", "1", "en"),
                evidence={"form_url": "https://example.org/join"},
                double_opt_in=True,
                expires_at=work.now + timedelta(days=30),
            ),
        )
    done = screen(any_runtime)
    assert done.epoch is not None
    assert done.counts.allowed == 4

    def changes(since: int) -> dict[str, Any]:
        with any_runtime.snapshot("acme", ACTOR) as snap:
            return {each["id"]: each for each in delta(snap, done.screening_id, since=since)}

    assert changes(done.epoch) == {}
    with any_runtime.work("acme", ACTOR) as work:
        consents.record(work, NewConsent(refs["leaves"], "marketing", "withdrawn", "unsubscribe_link"))
        consents.suppress(
            work, NewSuppression(scope="marketing", reason="complaint", contact_point=email("barred"))
        )
        put(work, "arrives", country="US", relationship="lead", identifiers=[email("arrives")])
    soon = changes(done.epoch)
    assert {name: (each["was"], each["decision"]) for name, each in soon.items()} == {
        "leaves": ("allow", "deny"),
        "barred": ("allow", "deny"),
        "arrives": (None, "allow"),
    }
    assert "suppressed" in soon["barred"]["codes"]
    # A later epoch asks the same: who is answered otherwise now than the screening says.
    assert changes(done.epoch + 1) == soon
    clock.forward(timedelta(days=31))
    later = changes(done.epoch)
    assert set(later) == {"leaves", "barred", "arrives", "runs-out"}
    assert (later["runs-out"]["was"], later["runs-out"]["decision"]) == ("allow", "deny")
    assert "consent-expired" in later["runs-out"]["codes"]
    with pytest.raises(InvalidError):
        changes(done.epoch + 1000)


@pytest.mark.people(80)
def test_delta_is_exactly_what_two_rounds_of_single_checks_tell_apart(
    any_runtime: Runtime, clock: HandClock
) -> None:
    audience = {"filter": {"country": ["DE", "US", "CA"]}}
    done = screen(any_runtime, audience)
    before = answers(any_runtime, done)
    clock.forward(timedelta(days=45))
    chance = random.Random(9)
    with any_runtime.work("acme", ACTOR) as work:
        for number in chance.sample(range(80), 25):
            ref = subjects.get(work, f"crm-{number}").subject_ref
            consents.record(work, NewConsent(ref, "marketing", "withdrawn", "web_form"))
        for number in range(80, 90):
            _somebody(work, chance, number)
    again = answers(any_runtime, screen(any_runtime, audience))
    expected = {
        external: answer
        for external, answer in again.items()
        if external not in before or {**answer} != {**before[external]}
    }
    with any_runtime.snapshot("acme", ACTOR) as snap:
        found = {each["id"]: each for each in delta(snap, done.screening_id, since=done.epoch or 0)}
        gate = gates.open_gate(snap)
        for external, change in found.items():
            record = gate.check(read_check(SubjectReference(id=external), EMAIL))
            assert change["decision"] == ("allow" if record.allowed else "deny"), external
            assert change["codes"] == list(record.codes), external
    assert {external for external, change in found.items() if change["decision"]} == set(expected)
    assert len(found) > 10


@pytest.mark.people(40)
def test_only_one_of_several_workers_runs_a_screening(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        queued = [screenings.create(work, EMAIL, ALL).screening_id for _ in range(3)]
    done: list[int] = []
    workers = [
        threading.Thread(target=lambda: done.append(screenings.run_due(any_runtime))) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(done) == 3
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert {screenings.find(snap, each).status for each in queued} == {"completed"}
        entries = ledger.entries(snap.connection, "acme", limit=500)
    assert [entry.kind for entry in entries].count("screening.completed") == 3


def test_a_screening_whose_worker_died_is_taken_up_again_after_its_lease(
    any_runtime: Runtime, clock: HandClock
) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        put(work, "crm-1", country="US")
        queued = screenings.create(work, EMAIL, ALL)
    with any_runtime.work("acme", ACTOR) as work, work.bookkeeping():
        dead = leases.claim(work.connection, "acme", queued.screening_id, "dead", work.now)
    assert dead is not None
    assert screenings.run_due(any_runtime) == 0
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert screenings.find(snap, queued.screening_id).status == "running"
    clock.forward(leases.LEASE)
    assert screenings.run_due(any_runtime) == 1
    with any_runtime.work("acme", ACTOR) as work, work.bookkeeping():
        assert not leases.hold(work.connection, "acme", dead)
        assert not leases.renew(work.connection, "acme", dead, work.now, 1)


def test_a_screening_that_kills_its_workers_is_given_up(runtime: Runtime, clock: HandClock) -> None:
    with runtime.work("acme", ACTOR) as work:
        queued = screenings.create(work, EMAIL, ALL)
    for _ in range(leases.MOST_ATTEMPTS):
        with runtime.work("acme", ACTOR) as work, work.bookkeeping():
            assert leases.claim(work.connection, "acme", queued.screening_id, "dying", work.now)
        clock.forward(leases.LEASE)
    screenings.run_due(runtime)
    with runtime.snapshot("acme", ACTOR) as snap:
        found = screenings.find(snap, queued.screening_id)
        assert (found.status, found.failure) == ("failed", "given-up")
        with pytest.raises(ConflictError):
            results(snap, queued.screening_id)


def test_a_screening_that_cannot_be_evaluated_fails_and_is_recorded(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runtime.work("acme", ACTOR) as work:
        put(work, "crm-1", country="US")
        queued = screenings.create(work, EMAIL, ALL)

    def broken(*_: object) -> None:
        raise KeyError("person@example.org")

    monkeypatch.setattr("governance.communications.screening_run.decide", broken)
    assert screenings.run_due(runtime) == 1
    with runtime.snapshot("acme", ACTOR) as snap:
        found = screenings.find(snap, queued.screening_id)
        entries = ledger.entries(snap.connection, "acme", limit=500)
    assert (found.status, found.failure) == ("failed", "KeyError")
    assert entries[-1].kind == "screening.failed"
    assert b"example.org" not in entries[-1].leaf


@pytest.mark.parametrize(
    ("question", "audience"),
    [
        ({**EMAIL, "action": "data.read"}, ALL),
        ({**EMAIL, "contact_point": "a@example.org"}, ALL),
        ({**EMAIL, "channel": "pigeon"}, ALL),
        (EMAIL, {"ids": ["person@example.org"]}),
        (EMAIL, {"ids": []}),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_and_nothing_is_queued(
    runtime: Runtime, question: dict[str, Any], audience: dict[str, Any]
) -> None:
    with pytest.raises(InvalidError) as refused, runtime.work("acme", ACTOR) as work:
        screenings.create(work, question, audience)
    assert refused.value.fields
    assert "example.org" not in repr(refused.value.fields) + refused.value.message
    assert screenings.run_due(runtime) == 0


def test_a_message_class_that_nobody_declared_fails_the_screening_when_it_is_queued(runtime: Runtime) -> None:
    with pytest.raises(InvalidError), runtime.work("acme", ACTOR) as work:
        screenings.create(work, {**EMAIL, "message_class": "no-such-class"}, ALL)


def test_a_screening_that_does_not_exist_is_not_found(runtime: Runtime) -> None:
    with runtime.snapshot("acme", ACTOR) as snap:
        with pytest.raises(NotFoundError):
            screenings.find(snap, "scr_none")
        with pytest.raises(NotFoundError):
            results(snap, "scr_none")
    assert not screenings.run(runtime, "acme", "scr_none")
