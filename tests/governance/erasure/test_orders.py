"""Orders that meet: one that asks for no more joins, one that asks for more is never lost."""

from datetime import timedelta

import pytest

from governance.erasure import saga, service
from governance.erasure.model import COMPLETE, OWN, PARTLY_COMPLETE, UNDO_WINDOW
from governance.errors import ConflictError
from governance.subjects import service as subjects
from retention_jobs import run_erasures
from tests.conftest import ACTOR, HandClock
from tests.governance.erasure.conftest import OFFICER, SECOND, World


def frozen(world: World, external_id: str = "crm-1") -> bool:
    with world.runtime.snapshot("acme", ACTOR) as snap:
        return subjects.get_by_ref(snap, world.refs[external_id]).erasure_pending


def begin(world: World, external_id: str, scope: list[str]) -> str:
    """A scoped erasure whose plans are made and of which no step was taken."""
    ordered = world.order(external_id, scope=scope)
    with world.runtime.work("acme", saga.ACTOR) as work:
        saga._begin(work, service.get(work, ordered.erasure_id))
    return ordered.erasure_id


def test_a_full_order_widens_a_scoped_one_that_can_still_be_undone(world: World, clock: HandClock) -> None:
    scoped = world.order("crm-1", hours=2, scope=["interactions"])
    assert [step.system for step in scoped.steps] == ["crm"]
    full = world.order("crm-1", hours=24, request_id="req_1")
    assert full.erasure_id == scoped.erasure_id
    assert (full.whole, full.request_id, full.status) == (True, "req_1", UNDO_WINDOW)
    assert [step.system for step in full.steps] == ["crm", OWN]
    assert full.undo_until == clock.now() + timedelta(hours=24), "the person's window is whole"
    clock.forward(timedelta(hours=25))
    assert world.run(full).status == PARTLY_COMPLETE
    assert "crm-1" not in repr(world.dump()["contact"])


def test_nobody_approves_alone_what_they_widened(world: World) -> None:
    with world.runtime.work("acme", SECOND) as work:
        ref = world.refs["crm-1"]
        scoped = service.order(work, ref, reason="tidy_up", scope=["interactions"])
    full = world.order("crm-1", hours=24)
    with world.runtime.work("acme", OFFICER) as work:
        refused = service.approve(work, full.erasure_id)
        assert getattr(refused, "code", None) == "second-person-needed"
    with world.runtime.work("acme", SECOND) as work:
        assert not hasattr(service.approve(work, scoped.erasure_id), "code")


def test_a_full_order_beside_a_scoped_one_that_has_begun_is_a_case_of_its_own(
    world: World, clock: HandClock
) -> None:
    scoped = begin(world, "crm-1", ["interactions"])
    full = world.order("crm-1", hours=1)
    assert (full.whole, full.erasure_id == scoped) == (True, False)
    run_erasures.run(world.runtime)
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert service.get(snap, scoped).status == COMPLETE
        assert len(subjects.points(snap, world.refs["crm-1"])) == 2, "only some data classes went"
    assert frozen(world), "the end of one case does not free whom another freezes"
    with world.runtime.work("acme", OFFICER) as work:
        again = service.order(work, world.refs["crm-1"], reason="tidy_up", scope=["transactions"])
    assert again.erasure_id == full.erasure_id, "what asks for less joins the case that does all of it"
    clock.forward(timedelta(hours=2))
    run_erasures.run(world.runtime)
    done = world.look(full)
    assert (done.status, done.steps[-1].outcome) == (PARTLY_COMPLETE, "erased"), done.steps
    assert "crm-1" not in repr(world.dump()["contact"])


def test_undoing_the_later_of_two_cases_leaves_the_person_to_the_first(world: World) -> None:
    scoped = begin(world, "crm-1", ["interactions"])
    full = world.order("crm-1", hours=1)
    with world.runtime.work("acme", OFFICER) as work:
        service.cancel(work, full.erasure_id)
    assert frozen(world)
    run_erasures.run(world.runtime)
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert service.get(snap, scoped).status == COMPLETE
    assert not frozen(world)


@pytest.mark.parametrize(
    ("first", "second", "begun", "together"),
    [
        (["interactions", "transactions"], ["interactions"], False, ["interactions", "transactions"]),
        (["interactions"], ["transactions"], False, ["interactions", "transactions"]),
        (["interactions", "transactions"], ["interactions"], True, None),
        (["interactions"], ["interactions", "transactions"], True, ["interactions", "transactions"]),
    ],
)
def test_partial_scopes_join_widen_or_stand_alone(
    world: World,
    clock: HandClock,
    first: list[str],
    second: list[str],
    begun: bool,
    together: list[str] | None,
) -> None:
    one = begin(world, "crm-1", first) if begun else world.order("crm-1", hours=1, scope=first).erasure_id
    other = world.order("crm-1", hours=1, scope=second)
    assert (other.erasure_id == one) is (not begun or together is None)
    assert list(other.scope or ()) == (together or first)
    clock.forward(timedelta(hours=2))
    run_erasures.run(world.runtime)
    left = world.dump()
    assert "Anna asked" not in repr(left["activity"])
    assert ("Anna alone" in repr(left["opportunity"])) is ("transactions" not in first + second)
    assert "Anna" in repr(left["contact"])
    assert not frozen(world)


def test_who_is_erased_is_not_ordered_again(world: World) -> None:
    world.run(world.order("crm-1"))
    with pytest.raises(ConflictError) as refused:
        world.order("crm-1")
    assert refused.value.reason == "erased"
