"""What joins a person, or the register of systems, between the order of an erasure and its end."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import pytest

from governance.consent import service as consent
from governance.erasure import keys, service
from governance.erasure.model import FAILED, OWN, PARTLY_COMPLETE, WAITING
from governance.errors import ConflictError
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import NewSubject, SubjectChange
from governance.systems import service as systems
from governance.systems import task_reports, task_store
from governance.work import Work
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, World

ANNA = Identifier("email", "anna@example.org")
OTHER = Identifier("email", "anna@other.example.org")
DAY = timedelta(hours=25)


def _paper(world: World, name: str = "paper", classes: tuple[str, ...] = ("identification",)) -> None:
    with world.runtime.work("acme", ACTOR) as work:
        found = systems.find(work, name)
        body = {"kind": "manual", "config": {"owner": "staff-1"}, "data_classes": list(classes)}
        systems.put(work, name, body, None if found is None else found.version)


def _steps(world: World, erasure: object) -> dict[str, str]:
    return {step.system: step.status for step in world.look(erasure).steps}  # type: ignore[arg-type]


def _put(work: Work) -> None:
    phone = Identifier("phone", "+493012345678")
    subjects.put(work, "crm-1", SubjectChange(identifiers=(ANNA, phone, OTHER)))


def _attribute(work: Work) -> None:
    subjects.put(work, "crm-1", SubjectChange(country="AT"))


def _import(work: Work) -> None:
    change = SubjectChange(identifiers=(ANNA, OTHER))
    (outcome,) = subjects.put_many(work, [NewSubject("crm-1", change)])
    assert outcome.refusal is not None
    raise outcome.refusal


def _act(work: Work) -> None:
    subjects.put(work, "crm-1", SubjectChange(identifiers=(ANNA, OTHER)), by_act=True)


def _point(work: Work) -> None:
    subjects.ensure_point(work, subjects.get(work, "crm-1").subject_ref, OTHER.type, OTHER.value)


def _merge(gone: str, into: str) -> Callable[[Work], None]:
    def merge(work: Work) -> None:
        consent.merge(work, subjects.get(work, gone).subject_ref, subjects.get(work, into).subject_ref)

    return merge


@pytest.mark.parametrize(
    "change",
    [_put, _attribute, _import, _act, _point, _merge("crm-2", "crm-1"), _merge("crm-1", "crm-2")],
    ids=["put", "attribute", "import", "act", "point", "merge into", "merge away"],
)
def test_nothing_joins_a_person_who_is_being_erased(world: World, change: Callable[[Work], None]) -> None:
    ordered = world.order("crm-1", hours=24)
    with pytest.raises(ConflictError) as refused, world.runtime.work("acme", ACTOR) as work:
        change(work)
    assert refused.value.reason == "erasure-pending"
    with world.runtime.work("acme", OFFICER) as work:
        service.cancel(work, ordered.erasure_id)
    with world.runtime.work("acme", ACTOR) as work:
        if change is not _import:
            change(work)  # the same is taken once the order was taken back


def _new_put(work: Work) -> None:
    subjects.put(work, "o9", SubjectChange(identifiers=(ANNA,)))


def _new_act(work: Work) -> None:
    subjects.put(work, "o9", SubjectChange(identifiers=(ANNA,)), by_act=True)


def _other_gets_it(work: Work) -> None:
    subjects.put(work, "crm-2", SubjectChange(identifiers=(ANNA,)))


def _new_row(work: Work) -> None:
    rows = [NewSubject("o9", SubjectChange(identifiers=(ANNA,))), NewSubject("o10", SubjectChange())]
    copy, other = subjects.put_many(work, rows)
    assert other.created, "a refused row stops no other"
    assert copy.refusal is not None
    raise copy.refusal


@pytest.mark.parametrize("change", [_new_put, _new_act, _other_gets_it, _new_row])
def test_no_copy_appears_beside_a_person_who_is_being_erased(
    world: World, change: Callable[[Work], None]
) -> None:
    ordered = world.order("crm-1", hours=24)
    with pytest.raises(ConflictError) as refused, world.runtime.work("acme", ACTOR) as work:
        change(work)
    assert refused.value.reason == "erasure-pending"
    assert "anna" not in refused.value.message
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.find(snap, "o9") is None
    with world.runtime.work("acme", OFFICER) as work:
        service.cancel(work, ordered.erasure_id)
    with world.runtime.work("acme", ACTOR) as work:
        if change is not _new_row:
            change(work)


@pytest.mark.parametrize("change", [_new_put, _other_gets_it, _new_row])
def test_a_copy_at_the_very_instant_of_the_order_waits_for_it(
    world: World, change: Callable[[Work], None]
) -> None:
    ordered, refusals = Event(), []

    def follow() -> None:
        ordered.wait(10)
        try:
            with world.runtime.work("acme", ACTOR) as work:
                change(work)
        except ConflictError as refused:
            refusals.append(refused.reason)

    thread = Thread(target=follow)
    thread.start()
    with world.runtime.work("acme", OFFICER) as work:
        service.order(work, world.refs["crm-1"], reason="rights_request")
        ordered.set()
        thread.join(0.3)  # the order is not committed: nobody else can know of it, so nobody may go on
        assert thread.is_alive()
    thread.join(10)
    assert refusals == ["erasure-pending"]


def test_an_order_at_the_very_instant_of_a_copy_comes_after_it(world: World) -> None:
    copied, orders = Event(), []

    def follow() -> None:
        copied.wait(10)
        orders.append(world.order("crm-1", hours=24))

    thread = Thread(target=follow)
    thread.start()
    with world.runtime.work("acme", ACTOR) as work:
        _new_put(work)
        copied.set()
        thread.join(0.3)
        assert not orders
    thread.join(10)
    assert len(orders) == 1
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.get(snap, "o9").erasure_pending is False, "it was there first"


def test_a_sync_that_says_nothing_new_is_no_change(world: World) -> None:
    world.order("crm-1", hours=24)
    phone = Identifier("phone", "+493012345678")
    with world.runtime.work("acme", ACTOR) as work:
        same = SubjectChange(identifiers=(ANNA, phone), country="DE", relationship="lead")
        assert not subjects.put(work, "crm-1", same).changed


def test_no_record_leaves_a_person_who_is_being_erased(world: World) -> None:
    with world.runtime.work("acme", ACTOR) as work:
        _merge("crm-2", "crm-1")(work)
    world.order("crm-1", hours=24)
    with pytest.raises(ConflictError) as refused, world.runtime.work("acme", ACTOR) as work:
        consent.split(work, world.refs["crm-2"])
    assert refused.value.reason == "erasure-pending"


def test_what_a_case_holds_is_gathered_again_when_it_begins(world: World, clock: HandClock) -> None:
    """For whatever door is found to the frozen person yet: what was added by then is asked for."""
    ordered = world.order("crm-1", hours=24)
    with world.runtime.work("acme", ACTOR) as work:
        subjects.set_erasure_pending(work, world.refs["crm-1"], False)
        _put(work)
        _merge("crm-2", "crm-1")(work)
        subjects.set_erasure_pending(work, world.refs["crm-1"], True)
    clock.forward(DAY)
    done = world.run(ordered)
    with world.runtime.snapshot("acme", ACTOR) as snap:
        known = keys.read(snap, done)
    assert known is not None
    assert set(known.external_ids) == {"crm-1", "crm-2"}
    assert {"anna@example.org", "anna@other.example.org", "ben@example.org"} == set(known.emails)
    assert "'crm-1'" not in repr(world.dump()["contact"])
    assert "'crm-2'" not in repr(world.dump()["contact"])


def test_a_system_registered_in_the_window_is_a_step(world: World, clock: HandClock) -> None:
    ordered = world.order("crm-4", hours=24)
    _paper(world)
    clock.forward(DAY)
    assert world.run(ordered).status == WAITING
    assert _steps(world, ordered) == {"crm": "done", OWN: "done", "paper": WAITING}


def test_a_system_registered_while_it_runs_is_asked_before_the_case_ends(
    world: World, clock: HandClock
) -> None:
    _paper(world)
    ordered = world.order("crm-4")
    assert world.run(ordered).status == WAITING, "our own rows are gone, the paper is not"
    _paper(world, "archive")
    _done(world, f"{ordered.erasure_id}/paper/1")
    clock.forward(DAY)
    assert world.run(ordered).status == WAITING, "the archive is asked first"
    assert _steps(world, ordered)["archive"] == WAITING
    _done(world, f"{ordered.erasure_id}/archive/1")
    clock.forward(DAY)
    done = world.run(ordered)
    assert done.status == PARTLY_COMPLETE, done.steps
    _paper(world, "later")
    assert world.run(ordered) == done, "what is over stays as it is"


def test_a_retry_asks_what_was_registered_since(world: World) -> None:
    tables = crm.tables()
    tables["contact"]["keys"] = [{"column": "given_name", "matches": "external_id"}]
    world.put_system(tables=tables)
    failed = world.run(world.order("crm-4"))
    assert failed.status == FAILED
    world.put_system()
    _paper(world)
    with world.runtime.work("acme", OFFICER) as work:
        service.retry(work, failed.erasure_id)
    assert world.run(failed).status == WAITING
    assert _steps(world, failed) == {"crm": "done", OWN: "done", "paper": WAITING}


def test_classes_that_a_system_has_got_since_are_asked_for_too(world: World, clock: HandClock) -> None:
    _paper(world)
    _paper(world, "other")
    ordered = world.order("crm-4", hours=24)
    _paper(world, "paper", ("identification", "interactions"))
    clock.forward(DAY)
    world.run(ordered)
    _paper(world, "other", ("identification", "interactions"))
    _done(world, f"{ordered.erasure_id}/paper/1", "identification", "interactions")
    _done(world, f"{ordered.erasure_id}/other/1")
    clock.forward(DAY)
    world.run(ordered)
    clock.forward(DAY)
    assert world.run(ordered).status == WAITING
    _done(world, f"{ordered.erasure_id}/other/2", "interactions")
    clock.forward(DAY)
    done = world.run(ordered)
    assert done.status == PARTLY_COMPLETE, done.steps
    parts = {step.system: {part.data_class for part in step.parts} for step in done.steps}
    assert parts["paper"] == parts["other"] == {"identification", "interactions"}


def _done(world: World, operation_id: str, *classes: str) -> None:
    """Whoever has the task of an operation says that it is done."""
    said = [
        {"data_class": each, "outcome": "erased", "rows": {"sheets": 1}}
        for each in classes or ("identification",)
    ]
    with world.runtime.work("acme", OFFICER) as work:
        task = task_store.of_operation(work.connection, "acme", operation_id)
        assert task is not None, operation_id
        task_reports.done(work, task.task_id, steps=said, evidence={"text": "shredded"})
