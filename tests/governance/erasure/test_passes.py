"""Two passes of one case: what a hold covered goes once it is released, and silence about it is no proof."""

from dataclasses import replace
from datetime import timedelta

from governance.erasure import passes, planning, service
from governance.erasure.model import Part
from governance.retention import holds
from governance.retention.model import HoldScope
from tests.conftest import HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, SECOND, World
from tests.governance.systems.test_sql_passes import NEWSLETTER


def test_after_a_hold_on_one_class_nothing_is_left(world: World, clock: HandClock) -> None:
    crm.run(
        world.url,
        "CREATE TABLE newsletter (id INTEGER PRIMARY KEY, email TEXT, full_name TEXT);\n",
    )
    crm.run(world.url, "INSERT INTO newsletter VALUES (1, 'anna@example.org', 'Anna Ä');\n")
    world.put_system(tables={**crm.tables(keep_invoices=False), "newsletter": NEWSLETTER})
    with world.runtime.work("acme", OFFICER) as work:
        scope = HoldScope("data_class", values={"data_class": ("identification",)})
        hold_id = holds.place(work, matter="Case 7", scope=scope, reason="A lawsuit.").hold_id
    ordered = world.order("crm-1")
    waits = world.run(ordered)
    assert {step.system: step.status for step in waits.steps}["crm"] == "held"
    assert "Anna Ä" in repr(world.dump()["newsletter"])
    with world.runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    clock.forward(timedelta(hours=2))
    done = world.run(ordered)
    assert done.status == "complete", done.steps
    assert world.dump()["newsletter"] == []
    assert len(world.dump()["contact"]) == 3, "Anna's row is gone"
    rows = {part.data_class: part for step in done.steps if step.system == "crm" for part in step.parts}
    assert rows["identification"].outcome == "erased"


def test_what_was_held_and_is_not_found_fails_until_somebody_has_looked(world: World) -> None:
    step = next(each for each in world.order("crm-1").steps if each.system == "crm")
    seen = replace(
        step,
        plan={},
        parts=(Part("contact_details", "anonymised", 1), Part("demographics", "not_found")),
        kept=(Part("identification", "held"),),
    )
    assert passes.ended(seen) == {"contact_details", "demographics"}
    assert passes.waited(seen, "identification") == "held"
    assert passes.waited(seen, "demographics") == ""
    assert passes.waited(replace(seen, parts=()), "identification") == "", "never asked: it may hold nothing"
    with world.runtime.snapshot("acme", OFFICER) as snap:
        again = planning.plan(snap, world.order("crm-2"), seen, only=("identification",))
    answer = (Part("identification", "not_found"),)
    (failed,) = passes.checked(again, answer)
    assert failed.outcome == "failed"
    assert "not found any more" in failed.because
    assert passes.checked(passes.told(again, (failed,)), answer) == answer


def test_what_ended_and_is_there_again_fails_until_somebody_looked(world: World, clock: HandClock) -> None:
    crm.run(world.url, "CREATE TABLE newsletter (id INTEGER PRIMARY KEY, email TEXT, full_name TEXT);\n")
    crm.run(world.url, "INSERT INTO newsletter VALUES (1, 'anna@example.org', 'Anna Ä');\n")
    world.put_system(tables={**crm.tables(keep_invoices=False), "newsletter": NEWSLETTER})
    with world.runtime.work("acme", OFFICER) as work:
        scope = HoldScope("data_class", values={"data_class": ("demographics",)})
        hold_id = holds.place(work, matter="Case 7", scope=scope, reason="A lawsuit.").hold_id
    ordered = world.order("crm-1")
    world.run(ordered)
    assert world.dump()["newsletter"] == []
    crm.run(world.url, "INSERT INTO newsletter VALUES (2, 'anna@example.org', 'Anna again');\n")
    with world.runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    clock.forward(timedelta(hours=2))
    told = world.run(ordered)
    step = next(each for each in told.steps if each.system == "crm")
    assert (told.status, step.outcome) == ("failed", "failed")
    assert "newsletter" in step.because
    with world.runtime.work("acme", SECOND) as work:
        service.retry(work, ordered.erasure_id)
    done = world.run(ordered)
    step = next(each for each in done.steps if each.system == "crm")
    assert (done.status, step.outcome) == ("complete", "anonymised"), done.steps
    looked = [part for part in step.parts if part.data_class == "contact_details"]
    assert looked
    assert all("somebody looked" in part.because for part in looked)
    assert len(world.dump()["newsletter"]) == 1
