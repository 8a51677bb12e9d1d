"""An erasure from its order to its certificate, on both databases, with a real CRM database beside it."""

from datetime import date, timedelta

import pytest

from governance.erasure import saga, service
from governance.erasure.model import (
    CANCELLED,
    FAILED,
    HELD,
    OWN,
    PARTLY_COMPLETE,
    UNDO_WINDOW,
    WAITING,
)
from governance.errors import ConflictError
from governance.retention import holds
from governance.retention.model import HoldScope
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, SECOND, World


def test_an_erasure_freezes_waits_erases_everywhere_and_says_so(world: World, clock: HandClock) -> None:
    before = world.dump()
    anna, ben = world.refs["crm-1"], world.refs["crm-2"]
    ordered = world.order("crm-1", hours=24)
    assert ordered.status == UNDO_WINDOW
    assert [step.system for step in ordered.steps] == ["crm", OWN]
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.get_by_ref(snap, anna).erasure_pending
    assert world.run(ordered).status == UNDO_WINDOW
    assert world.dump() == before

    clock.forward(timedelta(hours=25))
    done = world.run(ordered)
    assert done.status == PARTLY_COMPLETE, done.steps
    assert done.certificate
    assert done.completed_at == clock.now()
    outcomes = {step.system: step.outcome for step in done.steps}
    assert outcomes == {"crm": "kept_until", OWN: "erased"}
    (kept,) = [part for part in done.steps[0].parts if part.outcome == "kept_until"]
    assert kept.until == date(2035, 1, 1)
    assert kept.because == crm.LAW
    with world.runtime.snapshot("acme", ACTOR) as snap:
        gone = subjects.get_by_ref(snap, anna)
        assert gone.erased
        assert gone.country is None
        assert gone.external_id == anna
        assert subjects.points(snap, anna) == []
        assert subjects.find(snap, "crm-1") is None
        assert len(subjects.points(snap, ben)) == 2
    after = world.dump()
    assert "anna" not in repr(after["contact"]).lower()
    assert "Dora, only Dora" in repr(after["activity"])
    assert world.run(ordered) == done, "what is over stays as it is"


def test_an_order_can_be_undone_in_its_window_and_not_after_it(world: World, clock: HandClock) -> None:
    ordered = world.order("crm-1", hours=1)
    with world.runtime.work("acme", OFFICER) as work:
        assert service.cancel(work, ordered.erasure_id).status == CANCELLED
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert not subjects.get_by_ref(snap, world.refs["crm-1"]).erasure_pending
    late = world.order("crm-1", hours=1)
    clock.forward(timedelta(hours=1))
    with pytest.raises(ConflictError), world.runtime.work("acme", OFFICER) as work:
        service.cancel(work, late.erasure_id)


def test_a_second_order_joins_the_first(world: World) -> None:
    first = world.order("crm-1", hours=5)
    second = world.order("crm-1", hours=0, request_id="req_1")
    assert second.erasure_id == first.erasure_id
    assert second.request_id == "req_1"


def test_a_key_column_that_is_not_a_persons_ends_failed_and_never_complete(world: World) -> None:
    tables = crm.tables()
    tables["contact"]["keys"] = [{"column": "given_name", "matches": "external_id"}]
    world.put_system(tables=tables)
    before = world.dump()
    done = world.run(world.order("crm-1"))
    assert done.status == FAILED
    assert world.dump() == before
    (step,) = [each for each in done.steps if each.system == "crm"]
    assert step.outcome == "failed"
    assert step.because.endswith(".")
    assert "anna" not in step.because.lower()
    assert done.certificate is None
    world.put_system()
    with world.runtime.work("acme", OFFICER) as work:
        service.retry(work, done.erasure_id)
    assert world.run(done).status == PARTLY_COMPLETE


def test_an_unreachable_system_stops_nothing_else_and_is_tried_again(world: World, clock: HandClock) -> None:
    good, world.url = world.url, world.url.replace("crm.db", "nowhere.db")
    if "sqlite" not in good:
        pytest.skip("the address of a server that is not there is tried on SQLite")
    world.put_system()
    world.url = good
    ordered = world.order("crm-1")
    first = world.run(ordered)
    outcomes = {step.system: step.outcome for step in first.steps}
    assert outcomes[OWN] == "erased", first.steps
    assert first.status in (WAITING, FAILED, "in_progress")
    assert outcomes["crm"] in (None, "failed")
    world.put_system()
    if first.status == FAILED:
        with world.runtime.work("acme", OFFICER) as work:
            service.retry(work, ordered.erasure_id)
    clock.forward(timedelta(hours=7))
    assert world.run(ordered).status == PARTLY_COMPLETE


@pytest.mark.parametrize("when", ["before", "in the window", "between the steps"])
def test_a_hold_freezes_what_it_covers_until_a_second_person_lets_go(
    world: World, clock: HandClock, when: str
) -> None:
    ref = world.refs["crm-1"]
    before = world.dump()

    def hold() -> str:
        with world.runtime.work("acme", OFFICER) as work:
            scope = HoldScope("subject", subject_ref=ref)
            return holds.place(work, matter="LG 7 O 12/26", scope=scope, reason="A lawsuit.").hold_id

    hold_id = hold() if when == "before" else ""
    ordered = world.order("crm-1", hours=1)
    if when == "in the window":
        hold_id = hold()
    clock.forward(timedelta(hours=2))
    if when == "between the steps":
        # The plans are made, no step was taken yet.
        with world.runtime.work("acme", saga.ACTOR) as work:
            saga._begin(work, service.get(work, ordered.erasure_id))
        hold_id = hold()
    waits = world.run(ordered)
    assert waits.status == WAITING
    assert {step.status for step in waits.steps} == {HELD}, waits.steps
    assert all("hold" in step.because for step in waits.steps)
    assert world.dump() == before
    with world.runtime.work("acme", OFFICER) as work:
        assert not isinstance(holds.release(work, hold_id), type(None))
    clock.forward(timedelta(hours=2))
    assert world.run(ordered).status == WAITING, "one's own hold cannot be released alone"
    with world.runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    clock.forward(timedelta(hours=2))
    done = world.run(ordered)
    assert done.status == PARTLY_COMPLETE
    assert done.steps[-1].outcome == "erased", done.steps


def test_nobody_comes_back_by_a_sync_and_anybody_by_an_act_of_their_own(world: World) -> None:
    world.run(world.order("crm-1"))
    change = SubjectChange(identifiers=(Identifier("email", "anna@example.org"),), relationship="lead")
    with world.runtime.work("acme", ACTOR) as work:
        assert subjects.put(work, "crm-1", change).blocked
        assert subjects.put(work, "crm-77", change).blocked
        fresh = subjects.put(work, "crm-1", change, by_act=True)
        assert fresh.created
        assert fresh.subject_ref != world.refs["crm-1"]


def test_an_erasure_that_everything_stands_against_is_never_called_complete(world: World) -> None:
    """Restricted data are stored until that is lifted: nothing is erased, and the reason is said."""
    before = world.dump()
    with world.runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, world.refs["crm-1"], True)
    done = world.run(world.order("crm-1"))
    assert done.status == "partly_complete"
    assert {step.outcome for step in done.steps} == {"kept_until"}
    kept = [part for step in done.steps for part in step.kept]
    assert all("restriction is lifted" in part.because for part in kept)
    assert world.dump() == before
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.get(snap, "crm-1").erasure_pending, "frozen until it goes on"
