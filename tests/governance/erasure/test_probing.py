"""The second look ends, whoever can be asked what; and the identifiers go with it."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta

import pytest

from governance.erasure import keys, returning, service
from governance.erasure.model import NOT_PROBED, PROBED, Erasure
from governance.ledger import service as ledger
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange
from governance.systems import service as systems
from governance.systems import task_reports, task_store
from governance.systems.manual import ManualConnector
from governance.systems.model import failed, unsupported
from retention_jobs import probe_erasures, run_erasures
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, World

DAY = timedelta(days=1)


def _erased(world: World, clock: HandClock) -> Erasure:
    """An erasure of somebody in the CRM, nothing kept, and in a paper file; the second look is due."""
    world.put_system(tables=crm.tables(keep_invoices=False))
    with world.runtime.work("acme", ACTOR) as work:
        body = {"kind": "manual", "config": {"owner": "staff-1"}, "data_classes": ["identification"]}
        systems.put(work, "paper", body, None)
    ordered = world.order("crm-4")
    world.run(ordered)
    _report(world, ordered, "1", {"data_class": "identification", "outcome": "erased", "rows": {"s": 1}})
    clock.forward(DAY)
    done = world.run(ordered)
    assert done.certificate, done.steps
    clock.forward(8 * DAY)
    return done


def _report(world: World, erasure: Erasure, operation: str, *steps: object) -> None:
    with world.runtime.work("acme", OFFICER) as work:
        name = f"{erasure.erasure_id}/paper/{operation}"
        task = task_store.of_operation(work.connection, "acme", name)
        assert task is not None, name
        task_reports.done(work, task.task_id, steps=steps, evidence={"text": "looked"})  # type: ignore[arg-type]


def _holds_keys(world: World, erasure: Erasure) -> bool:
    with world.runtime.snapshot("acme", ACTOR) as snap:
        return keys.read(snap, erasure) is not None


def _told(world: World, kind: str) -> int:
    with world.runtime.snapshot("acme", ACTOR) as snap:
        return [each.kind for each in ledger.entries(snap.connection, "acme", after=-1, limit=500)].count(
            kind
        )


def test_a_manual_system_is_looked_at_by_whoever_owns_it(world: World, clock: HandClock) -> None:
    done = _erased(world, clock)
    probe_erasures.run(world.runtime)
    assert world.look(done).probed_at is None
    assert _holds_keys(world, done)
    _report(world, done, "1/look")
    clock.forward(DAY)
    probe_erasures.run(world.runtime)
    over = world.look(done)
    assert over.probed_at == clock.now()
    assert {step.system: step.probe and step.probe.status for step in over.steps} == {
        "crm": PROBED,
        "paper": PROBED,
        "governance": None,
    }
    assert not _holds_keys(world, done)
    claims = json.loads(urlsafe_b64decode((over.certificate or "").split(".")[1] + "=="))
    assert {each["system"]: (each["probe"] or {}).get("status") for each in claims["steps"]}[
        "paper"
    ] == PROBED


def test_what_somebody_finds_again_reopens_the_case(world: World, clock: HandClock) -> None:
    done = _erased(world, clock)
    probe_erasures.run(world.runtime)
    found = {"data_class": "identification", "outcome": "erased", "rows": {"sheets": 2}}
    _report(world, done, "1/look", found)
    clock.forward(DAY)
    probe_erasures.run(world.runtime)
    assert world.look(done).status == "in_progress"
    run_erasures.run(world.runtime)
    steps = {step.system: (step.status, step.round) for step in world.look(done).steps}
    assert steps["paper"] == ("waiting", 2)


def test_a_system_that_cannot_be_asked_is_written_down_as_not_probed(
    world: World, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _erased(world, clock)
    monkeypatch.setattr(ManualConnector, "look", lambda *_: unsupported("Nobody counts there."))
    probe_erasures.run(world.runtime)
    over = world.look(done)
    assert over.probed_at == clock.now()
    (paper,) = [step.probe for step in over.steps if step.system == "paper"]
    assert paper is not None
    assert (paper.status, paper.because) == (NOT_PROBED, "Nobody counts there.")
    assert not _holds_keys(world, done)


@pytest.mark.parametrize("why", ["nobody does the task", "unreachable"])
def test_no_answer_is_told_and_ends_at_the_term(
    world: World, clock: HandClock, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    done = _erased(world, clock)
    world.runtime.resources[Settings] = replace(world.runtime.settings, probe_term_days=40)
    if why == "unreachable":
        monkeypatch.setattr(ManualConnector, "count", lambda *_: failed("Nobody is there.", transient=True))
    for day in range(9, 40):
        probe_erasures.run(world.runtime)
        assert _holds_keys(world, done), day
        assert _told(world, "erasure.probe_overdue") == (day >= 22), day
        clock.forward(DAY)
    clock.forward(DAY)
    probe_erasures.run(world.runtime)
    over = world.look(done)
    (paper,) = [step.probe for step in over.steps if step.system == "paper"]
    assert paper is not None
    assert paper.status == NOT_PROBED
    assert "until the term" in paper.because
    assert over.probed_at == clock.now()
    assert not _holds_keys(world, done), "never longer than the term"
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert task_store.page(snap.connection, "acme", "open", "", 10) == []


@pytest.mark.parametrize("when", ["before the look", "after the look"])
def test_what_is_found_of_somebody_who_came_back_is_left_to_people(
    world: World, clock: HandClock, when: str
) -> None:
    """A customer anew: the second look must not take the rows of today for what was left of then."""
    done = world.run(world.order("crm-1"))
    clock.forward(DAY)
    crm.run(
        world.url,
        "INSERT INTO support_case VALUES (9, 'anna@example.org', NULL, 'A new order', 'I am back');\n",
    )
    if when == "before the look":
        _comes_back(world)
    clock.forward(8 * DAY)
    probe_erasures.run(world.runtime)
    if when == "after the look":
        assert world.look(done).status == "in_progress"
        _comes_back(world)
    run_erasures.run(world.runtime)
    assert "I am back" in repr(world.dump()["support_case"])
    found = world.look(done)
    (step,) = [each for each in found.steps if each.system == "crm"]
    if when == "before the look":
        assert step.probe is not None
        assert (found.status, step.probe.status, step.probe.because) == (
            done.status,
            NOT_PROBED,
            returning.CAME_BACK,
        )
        return
    assert (found.status, step.status, step.because) == ("failed", "failed", returning.CAME_BACK)
    with world.runtime.work("acme", OFFICER) as work:
        service.retry(work, done.erasure_id)
    run_erasures.run(world.runtime)
    assert "I am back" not in repr(world.dump()["support_case"]), "somebody looked, and said so"


def _comes_back(world: World) -> None:
    with world.runtime.work("acme", ACTOR) as work:
        change = SubjectChange((Identifier("email", "anna@example.org"),), relationship="client")
        subjects.put(work, "crm-9", change, by_act=True, acted_at=work.now)
