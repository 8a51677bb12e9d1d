"""Data that tell their own date are kept until their own day, not as long as the newest that there may be."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from governance.erasure.model import PARTLY_COMPLETE, Erasure
from governance.retention import holds, record_store, records, runs, sweeping
from governance.retention.model import Record, read_filter
from governance.retention.records import NewRecord
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from retention_jobs import probe_erasures, run_erasures
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, SECOND, World

DUE = date(2033, 1, 1)
"""When vouchers of 2024 go: eight years after the end of the year."""


def tables(data_class: str = "invoices", period: str | None = "P8Y") -> dict[str, Any]:
    """The CRM's tables, its invoices of this class and kept by a rule of their own, or none."""
    found = crm.tables(keep_invoices=period is not None)
    for name in ("invoice", "invoice_line"):
        table = found[name]
        table["data_class"] = data_class
        table["fields"] = dict.fromkeys(table["fields"], data_class)
    if period is not None:
        found["invoice"]["disposition"]["keep_until"]["period"] = period
    return found


def outcomes(erasure: Erasure, data_class: str = "invoices") -> dict[tuple[str, date | None], int]:
    (step,) = (each for each in erasure.steps if each.system == "crm")
    return {(each.outcome, each.until): each.rows for each in step.parts if each.data_class == data_class}


def invoices(world: World) -> set[str]:
    return {name for name in ("R-1", "R-2", "R-3") if f"'{name}'" in repr(world.dump()["invoice"])}


def register(world: World, *told: tuple[str, str, int]) -> None:
    with world.runtime.work("acme", OFFICER) as work:
        for system, name, year in told:
            made = datetime(year, 3, 1, tzinfo=UTC)
            whose = SubjectReference(id="crm-1")
            records.put(work, NewRecord(system, name, whose, "invoices", made, jurisdiction="DE"))


def registered(world: World) -> dict[str, Record]:
    keys = [("crm", "R-1"), ("crm", "R-2"), ("lost", "X-1")]
    with world.runtime.snapshot("acme", ACTOR) as snap:
        found = record_store.find_many(snap.connection, "acme", keys)
    return {name: each for (_, name), each in found.items()}


def due(world: World) -> int:
    """How much a run finds due."""
    with world.runtime.work("acme", OFFICER) as work:
        made = runs.create(work, dry_run=True)
    assert sweeping.run(world.runtime, "acme", made.run_id)
    with world.runtime.snapshot("acme", OFFICER) as snap:
        counted = runs.get(snap, made.run_id).tally
    assert counted is not None
    return counted.deletions


def jobs(world: World, clock: HandClock, at: datetime) -> None:
    clock.forward(at - clock.now())
    for _ in range(2):
        probe_erasures.run(world.runtime)
        run_erasures.run(world.runtime)


def test_a_row_with_a_date_goes_on_its_own_day_with_what_hangs_on_it(world: World, clock: HandClock) -> None:
    world.put_system(tables=tables())
    done = world.run(world.order("crm-1"))
    assert done.status == PARTLY_COMPLETE
    assert outcomes(done) == {("erased", None): 2, ("kept_until", DUE): 2}
    assert invoices(world) == {"R-2", "R-3"}
    assert "Old thing" not in repr(world.dump()["invoice_line"])
    jobs(world, clock, datetime(2032, 12, 31, 12, tzinfo=UTC))
    assert invoices(world) == {"R-2", "R-3"}, "to the last day"
    jobs(world, clock, datetime(2033, 1, 2, 12, tzinfo=UTC))
    assert invoices(world) == {"R-3"}
    assert "New thing" not in repr(world.dump()["invoice_line"])


def test_a_row_without_a_date_is_kept_as_long_as_the_newest(world: World, clock: HandClock) -> None:
    world.put_system(tables=tables(period=None))
    done = world.run(world.order("crm-1"))
    newest = date(clock.now().year + 9, 1, 1)
    assert outcomes(done) == {("kept_until", newest): 4}


def test_a_rule_of_the_table_never_lets_go_before_the_law_does(world: World) -> None:
    world.put_system(tables=tables(period="P1Y"))
    done = world.run(world.order("crm-1"))
    assert outcomes(done) == {("erased", None): 2, ("kept_until", DUE): 2}
    (step,) = (each for each in done.steps if each.system == "crm")
    assert {each.rule for each in step.parts if each.until == DUE} == {"de.vouchers"}


@pytest.mark.parametrize("stage", ["client"])
def test_what_is_counted_from_the_person_keeps_old_rows_too(world: World) -> None:
    with world.runtime.work("acme", ACTOR) as work:
        for event, at in (("contract_signed", (2024, 1, 10)), ("contract_ended", (2025, 3, 1))):
            subjects.record_event(
                work, world.refs["crm-1"], event=event, occurred_at=datetime(*at, tzinfo=UTC)
            )
    world.put_system(tables=tables("transactions", "P1Y"))
    done = world.run(world.order("crm-1"))
    found = outcomes(done, "transactions")
    assert found[("kept_until", date(2029, 1, 1))] >= 4
    assert invoices(world) == {"R-1", "R-2", "R-3"}


def test_a_registered_record_goes_on_its_own_day_by_the_case_and_by_it_alone(
    world: World, clock: HandClock
) -> None:
    world.put_system(tables=tables(period=None))
    register(world, ("crm", "R-1", 2012), ("crm", "R-2", 2024))
    assert due(world) == 1
    done = world.run(world.order("crm-1"))
    assert outcomes(done) == {("erased", None): 2, ("kept_until", DUE): 2}
    assert invoices(world) == {"R-2", "R-3"}
    assert set(registered(world)) == {"R-2"}, "what is gone is watched no longer"
    assert due(world) == 0
    clock.forward(datetime(2033, 1, 2, 12, tzinfo=UTC) - clock.now())
    others = due(world)
    jobs(world, clock, datetime(2033, 1, 2, 13, tzinfo=UTC))
    assert invoices(world) == {"R-3"}
    assert registered(world) == {}
    assert due(world) == others, "runs never saw it: the case's own pass ended it"


def test_records_that_no_step_was_about_are_left_to_the_sweep(world: World) -> None:
    world.put_system(tables=tables())
    register(world, ("crm", "R-2", 2024), ("lost", "X-1", 2012))
    world.run(world.order("crm-1"))
    found = registered(world)
    assert (found["X-1"].subject_ref, found["R-2"].subject_ref) == (None, world.refs["crm-1"])
    assert due(world) == 1


def test_a_hold_stops_old_rows_too_and_they_go_after_its_release(world: World) -> None:
    world.put_system(tables=tables())
    register(world, ("crm", "R-1", 2012))
    with world.runtime.work("acme", OFFICER) as work:
        held = holds.place(work, matter="M-1", reason="x", scope=read_filter({"data_class": ["invoices"]}))
    case = world.run(world.order("crm-1"))
    assert invoices(world) == {"R-1", "R-2", "R-3"}
    assert set(registered(world)) == {"R-1"}
    with world.runtime.work("acme", SECOND) as work:
        holds.release(work, held.hold_id)
    assert outcomes(world.run(case)) == {("erased", None): 2, ("kept_until", DUE): 2}
    assert (invoices(world), registered(world)) == ({"R-2", "R-3"}, {})
