"""Two passes of one case: what a hold covered goes once it is released, and silence about it is no proof."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from governance.erasure import afterwards, mappings, passes, planning, saga, service
from governance.erasure.model import Erasure, Part, Step
from governance.errors import ConflictError, InvalidError
from governance.retention import holds
from governance.retention.model import HoldScope
from governance.systems import operations
from governance.systems import service as systems
from governance.systems.model import Outcome
from tests.conftest import ACTOR, HandClock
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


def _crm(erasure: Erasure) -> Step:
    return next(each for each in erasure.steps if each.system == "crm")


def _signed(erasure: Erasure) -> list[dict[str, Any]]:
    """What the certificate says of the CRM."""
    assert erasure.certificate is not None
    payload = json.loads(base64.urlsafe_b64decode(erasure.certificate.split(".")[1] + "=="))
    return [part for step in payload["steps"] if step["system"] == "crm" for part in step["data_classes"]]


def test_two_passes_are_told_as_one(world: World, clock: HandClock) -> None:
    """Anna's invoice of 2012 and that of 2024 with their lines: the day of the second comes later."""
    first = world.run(world.order("crm-1"))
    step = _crm(first)
    assert step.rows == sum(part.rows for part in step.parts)
    told = {(part.outcome, part.rows) for part in step.parts if part.data_class == "financial"}
    assert told == {("erased", 2), ("kept_until", 2)}
    clock.forward(timedelta(days=365 * 11))
    with world.runtime.work("acme", ACTOR) as work:
        assert afterwards.come_back(work, first.erasure_id, work.now.date()) == 1
    last = world.run(first)
    step = _crm(last)
    (invoices,) = [part for part in step.parts if part.data_class == "financial"]
    assert (last.status, invoices.outcome, invoices.rows) == ("complete", "erased", 4)
    (name,) = [part for part in step.parts if part.data_class == "identification"]
    assert (name.outcome, name.rows) == ("erased", 1), "the row that stayed for the invoice is counted once"
    assert step.rows == sum(part.rows for part in step.parts) == sum(part["rows"] for part in _signed(last))


def test_what_was_done_is_told_while_a_hold_keeps_the_rest(world: World, clock: HandClock) -> None:
    first = world.run(world.order("crm-1"))
    clock.forward(timedelta(days=365 * 11))
    with world.runtime.work("acme", OFFICER) as work:
        scope = HoldScope("data_class", values={"data_class": ("financial",)})
        hold_id = holds.place(work, matter="Case 7", scope=scope, reason="A lawsuit.").hold_id
    with world.runtime.work("acme", ACTOR) as work:
        afterwards.come_back(work, first.erasure_id, work.now.date())
    step = _crm(world.run(first))
    told = {(p.outcome, p.rows) for p in (*step.parts, *step.kept) if p.data_class == "financial"}
    assert told == {("erased", 2), ("held", 2)}
    with world.runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    last = world.run(first)
    (invoices,) = [part for part in _crm(last).parts if part.data_class == "financial"]
    assert (last.status, invoices.outcome, invoices.rows) == ("complete", "erased", 4)
    assert _crm(last).rows == sum(part.rows for part in _crm(last).parts)


def _less(world: World) -> None:
    """Map the CRM without its support cases."""
    fewer = {k: v for k, v in crm.tables().items() if k not in ("support_case", "case_comment")}
    world.put_system(tables=fewer)


def test_a_class_that_was_ordered_and_is_mapped_no_more_is_not_passed_over(world: World) -> None:
    ordered = world.order("crm-1")
    before = world.dump()
    _less(world)
    with world.runtime.snapshot("acme", ACTOR) as snap:
        (warning,) = mappings.warnings(snap, systems.get(snap, "crm"))
    assert "support_cases" in warning
    failed = world.run(ordered)
    assert failed.status == "failed", failed.steps
    assert "support_cases was ordered and is mapped nowhere any more" in _crm(failed).because
    assert world.dump() == before, "nothing is asked of a system of which a part would be left out"
    with world.runtime.work("acme", ACTOR) as work, pytest.raises(InvalidError):
        mappings.not_held(work, ordered.erasure_id, "crm", ["financial"])
    world.put_system()
    with world.runtime.work("acme", ACTOR) as work:
        service.retry(work, ordered.erasure_id)
    done = world.run(ordered)
    assert done.status == "partly_complete", done.steps
    assert len(world.dump()["support_case"]) == len(before["support_case"]) - 2
    with world.runtime.work("acme", ACTOR) as work, pytest.raises(ConflictError):
        mappings.not_held(work, ordered.erasure_id, "crm", ["support_cases"])


def test_what_somebody_answers_for_stands_in_the_certificate(world: World) -> None:
    ordered = world.order("crm-1")
    _less(world)
    world.run(ordered)
    with world.runtime.work("acme", ACTOR) as work:
        mappings.not_held(work, ordered.erasure_id, "crm", ["support_cases"])
        assert [each.kind for each in work.events] == ["erasure.not_held"]
    done = world.run(ordered)
    assert done.status == "partly_complete", done.steps
    (told,) = [part for part in _signed(done) if part["data_class"] == "support_cases"]
    assert (told["outcome"], told["rows"]) == ("not_found", 0)
    assert "answered for it" in told["because"]


def test_whatever_system_answers_without_a_class_has_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connector of anybody's: it reports everything but one class."""
    ordered = world.order("crm-1")
    asked = operations.run

    def silent(*given: Any) -> Outcome:
        outcome = asked(*given)
        steps = tuple(each for each in outcome.steps if each.data_class != "support_cases")
        return replace(outcome, steps=steps)

    monkeypatch.setattr(saga.operations, "run", silent)
    failed = world.run(ordered)
    assert failed.status == "failed"
    assert "support_cases has no answer" in _crm(failed).because
    assert _crm(failed).outcome == "failed"
