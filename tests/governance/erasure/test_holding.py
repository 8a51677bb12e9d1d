"""Legal holds beside erasures: placed while only the case knows the person, and woken from at their end."""

from datetime import timedelta

import pytest

from governance.erasure import afterwards, holding, service, store
from governance.erasure.model import Erasure
from governance.errors import ConflictError, NotFoundError
from governance.retention import holds
from governance.retention.model import Hold, HoldScope
from governance.subjects.model import SubjectReference
from governance.systems import service as systems
from governance.systems import task_store
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, PEOPLE, SECOND, World


def place(world: World, scope: HoldScope, days: int | None = None) -> str:
    with world.runtime.work("acme", OFFICER) as work:
        until = None if days is None else work.now + timedelta(days=days)
        placed = holds.place(work, matter="Case 7", scope=scope, reason="A lawsuit.", expires_at=until)
    return placed.hold_id


def scope(world: World, **named: str) -> HoldScope:
    with world.runtime.snapshot("acme", OFFICER) as snap:
        return holding.scope_of_person(snap, SubjectReference(**named))


def is_due(world: World, erasure: Erasure) -> bool:
    with world.runtime.snapshot("acme", ACTOR) as snap:
        return erasure.erasure_id in store.due(snap.connection, "acme", snap.now, 50)


def status(erasure: Erasure) -> str:
    return next(each.status for each in erasure.steps if each.system == "crm")


@pytest.mark.parametrize(
    "named", [{"id": "crm-1"}, {"email": "Anna@Example.org"}, {"phone": "+493012345678"}]
)
def test_a_hold_is_placed_on_whom_only_an_open_case_knows(world: World, named: dict[str, str]) -> None:
    crm.run(world.url, "ALTER TABLE activity RENAME COLUMN kind TO sort;\n")
    failed = world.run(world.order("crm-1"))
    assert (failed.status, failed.steps[-1].outcome) == ("failed", "erased")
    crm.run(world.url, "ALTER TABLE activity RENAME COLUMN sort TO kind;\n")
    before = world.dump()
    hold_id = place(world, scope(world, **named))
    with world.runtime.work("acme", ACTOR) as work:
        service.retry(work, failed.erasure_id)
    waits = world.run(failed)
    assert (waits.status, status(waits)) == ("waiting", "held")
    assert world.dump() == before
    assert not is_due(world, failed)
    with world.runtime.work("acme", OFFICER) as work:
        assert not isinstance(holding.release(work, hold_id), Hold), "nobody releases their own"
    with world.runtime.work("acme", SECOND) as work:
        assert isinstance(holding.release(work, hold_id), Hold)
    assert is_due(world, failed), "it is woken in the transaction of the release, not within the hour"
    assert world.run(failed).status == "partly_complete"


def test_a_hold_on_what_is_kept_stops_it_at_its_term_and_its_end_wakes_it(
    world: World, clock: HandClock
) -> None:
    kept = world.run(world.order("crm-1"))
    assert kept.status == "partly_complete"
    clock.forward(timedelta(days=365 * 11))
    hold_id = place(world, scope(world, id="crm-1"), days=40)
    before = world.dump()
    with world.runtime.work("acme", ACTOR) as work:
        assert afterwards.come_back(work, kept.erasure_id, work.now.date()) == 1
    waits = world.run(kept)
    assert (waits.status, status(waits), waits.certificate) == ("waiting", "held", None)
    assert world.dump() == before
    with world.runtime.work("acme", ACTOR) as work:
        assert holding.notify(work, hold_id) is None
    assert not is_due(world, kept)
    clock.forward(timedelta(days=40))
    world.run(kept)
    assert not is_due(world, kept), "it holds until its end was recorded"
    with world.runtime.work("acme", ACTOR) as work:
        assert holding.notify(work, hold_id) == 0
    assert is_due(world, kept)
    assert world.run(kept).status == "complete"


def test_who_shares_an_address_is_named_by_the_case(world: World) -> None:
    email, phone = PEOPLE["crm-2"][0], PEOPLE["crm-1"][1]
    PEOPLE["crm-2"] = (email, phone)
    try:
        world.put_person("crm-2")
    finally:
        PEOPLE["crm-2"] = (email, "+493087654321")
    crm.run(world.url, "ALTER TABLE activity RENAME COLUMN kind TO sort;\n")
    one, other = world.run(world.order("crm-1")), world.run(world.order("crm-2"))
    assert {one.status, other.status} == {"failed"}
    with pytest.raises(ConflictError):
        scope(world, phone=phone)
    with world.runtime.snapshot("acme", OFFICER) as snap:
        found = holding.scope_of_case(snap, other.erasure_id)
    assert (found.subject_ref, found.document()) == (world.refs["crm-2"], {"erasure": [other.erasure_id]})
    with pytest.raises(NotFoundError):
        scope(world, id="crm-9")


def test_a_task_that_nobody_has_done_is_taken_back_and_given_anew(world: World, clock: HandClock) -> None:
    with world.runtime.work("acme", ACTOR) as work:
        body = {"kind": "manual", "config": {"owner": "staff-1"}, "data_classes": ["identification"]}
        systems.put(work, "paper", body, None)
    ordered = world.order("crm-4")
    clock.forward(timedelta(minutes=1))
    assert {each.status for each in world.run(ordered).steps if each.system == "paper"} == {"waiting"}
    with world.runtime.work("acme", OFFICER) as work:
        said = HoldScope("subject", world.refs["crm-4"])
        hold_id = holding.place(work, matter="Case 7", scope=said, reason="A lawsuit.").hold_id
    assert is_due(world, ordered)
    held = world.run(ordered)
    assert {each.status for each in held.steps if each.system == "paper"} == {"held"}
    assert _open_tasks(world) == []
    with world.runtime.work("acme", SECOND) as work:
        holding.release(work, hold_id)
    world.run(ordered)
    assert _open_tasks(world) == [f"{ordered.erasure_id}/paper/3"], "each plan is a round of its own"


def _open_tasks(world: World) -> list[str]:
    with world.runtime.snapshot("acme", ACTOR) as snap:
        return [each.operation_id for each in task_store.open_within(snap.connection, "acme", "")]


def test_of_an_erasure_that_was_taken_back_nothing_is_held(world: World) -> None:
    ordered = world.order("crm-1", hours=24)
    with world.runtime.work("acme", OFFICER) as work:
        service.cancel(work, ordered.erasure_id)
    with world.runtime.snapshot("acme", OFFICER) as snap, pytest.raises(ConflictError):
        holding.scope_of_case(snap, ordered.erasure_id)
