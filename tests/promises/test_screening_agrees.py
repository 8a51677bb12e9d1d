"""A screening agrees with single checks: on people chosen by chance, and on everyone who changed since."""

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from bench import population
from governance.bootstrap import Runtime
from governance.communications import screening_service as screenings
from governance.communications import stream
from governance.communications.gate import open_gate
from governance.communications.model import read_check
from governance.communications.screening_delta import delta
from governance.communications.screening_results import results
from governance.consent import service as consents
from governance.consent.service import NewConsent, NewSuppression
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from tests.conftest import ACTOR, HandClock

QUESTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}

Answers = dict[str, tuple[str, list[str], list[dict[str, str]]]]


def screened(runtime: Runtime) -> tuple[str, int, int]:
    """Screen everyone; the screening's id, its epoch, and how many were asked about."""
    with runtime.work("acme", ACTOR) as work:
        queued = screenings.create(work, QUESTION, {"all": True})
    assert screenings.run(runtime, "acme", queued.screening_id)
    with runtime.snapshot("acme", ACTOR) as snap:
        done = screenings.find(snap, queued.screening_id)
    assert done.epoch is not None
    return done.screening_id, done.epoch, done.counts.total


def streamed(runtime: Runtime, screening_id: str, wanted: set[str]) -> Answers:
    """What the screening says of these people."""
    with runtime.snapshot("acme", ACTOR) as snap:
        found = results(snap, screening_id)
        return {
            each["id"]: (each["decision"], each["codes"], each["contact_points"])
            for each in found
            if each["id"] in wanted
        }


def checked(runtime: Runtime, people: Iterable[str]) -> Answers:
    """What single checks say of them now."""
    found: Answers = {}
    with runtime.snapshot("acme", ACTOR) as snap:
        gate = open_gate(snap)
        for external_id in people:
            record = gate.check(read_check(SubjectReference(id=external_id), QUESTION))
            # A screening says where a permitted message may go; of the refused a check tells some points too.
            points = [point.document() for point in record.contact_points]
            found[external_id] = ("allow" if record.allowed else "deny", list(record.codes), points)
    return found


def changes(runtime: Runtime, screening_id: str, since: int) -> dict[str, dict[str, Any]]:
    with runtime.snapshot("acme", ACTOR) as snap:
        return {each["id"]: each for each in delta(snap, screening_id, since=since)}


def something_happens(runtime: Runtime, chance: random.Random, people: list[str]) -> None:
    """Some withdraw, consent, are suppressed, restricted, or buy; newcomers arrive."""
    for start in range(0, len(people), 50):
        with runtime.work("acme", ACTOR) as work:
            for external_id in people[start : start + 50]:
                person = subjects.get(work, external_id)
                dice = chance.random()
                if dice < 0.4:
                    consents.record(
                        work, NewConsent(person.subject_ref, "marketing", "withdrawn", "unsubscribe_link")
                    )
                elif dice < 0.6:
                    consents.suppress(work, NewSuppression("marketing", subject_ref=person.subject_ref))
                elif dice < 0.8:
                    subjects.set_restriction(work, person.subject_ref, restricted=True)
                else:
                    subjects.record_event(work, person.subject_ref, event="purchase", occurred_at=work.now)
    with runtime.work("acme", ACTOR) as work:
        for number in range(10):
            subjects.put(work, f"new-{number}", subjects.SubjectChange(country="US", relationship="lead"))


@pytest.mark.parametrize(
    ("people", "sample", "happening"),
    [(20_000, 300, 60), pytest.param(1_000_000, 10_000, 2_000, marks=pytest.mark.full)],
)
def test_a_screening_agrees_with_single_checks_and_with_what_changed_since(
    runtime: Runtime, clock: HandClock, people: int, sample: int, happening: int
) -> None:
    population.make(runtime.settings.database_url, "acme", people, epoch=clock.now())
    screening_id, epoch, total = screened(runtime)
    assert total == people
    chance = random.Random(6)
    chosen = {f"crm-{number}" for number in chance.sample(range(1, people + 1), sample)}
    before = streamed(runtime, screening_id, chosen)
    assert before == checked(runtime, chosen)
    assert {decision for decision, *_ in before.values()} == {"allow", "deny"}
    assert changes(runtime, screening_id, epoch) == {}

    something_happens(runtime, chance, chance.sample(sorted(chosen), happening))
    clock.forward(timedelta(days=20))
    changed = changes(runtime, screening_id, epoch)
    told = {name: (each["decision"], each["codes"], each["contact_points"]) for name, each in changed.items()}
    assert told == checked(runtime, told)
    same = chosen - changed.keys()
    assert {name: before[name] for name in same} == checked(runtime, same)
    # What happened to people, newcomers, and what time alone changed are all among it.
    assert {f"new-{number}" for number in range(10)} <= changed.keys()
    assert happening / 4 < len(chosen & changed.keys())
    assert len(changed) > len(chosen & changed.keys()) + 10


def test_a_stream_that_forgets_a_fact_is_noticed(
    runtime: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    population.make(runtime.settings.database_url, "acme", 3_000, epoch=clock.now())
    monkeypatch.setattr(
        stream,
        "same_for_all",
        lambda asked: {**asked.facts, "person.restricted": False, "person.region": None},
    )
    monkeypatch.setattr("governance.communications.screening_run.same_for_all", stream.same_for_all)
    screening_id, *_ = screened(runtime)
    everyone = {f"crm-{number}" for number in range(1, 3_001)}
    found = streamed(runtime, screening_id, everyone)
    assert found != checked(runtime, everyone)
