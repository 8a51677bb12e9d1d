"""What retention decided is carried out: records end in their systems, people who are due are erased."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from governance.bootstrap import Runtime
from governance.erasure import disposing
from governance.erasure import service as erasures
from governance.events import Actor
from governance.retention import dispositions, holds, records, runs, settings, sweeping
from governance.retention.disposition_store import Disposition
from governance.retention.model import HoldScope, read_filter
from governance.retention.records import NewRecord
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange, SubjectReference
from governance.systems import operations
from governance.systems.model import Outcome, failed
from governance.systems.operations import Operation
from governance.work import Opener, Work
from retention_jobs import carry_out_retention
from tests.conftest import HandClock
from tests.fixtures import crm
from tests.fixtures.crm import gone
from tests.governance.erasure.conftest import OFFICER, SECOND, World

OLD = datetime(2012, 3, 4, tzinfo=UTC)


def approve(runtime: Runtime, *ids: str, system: str = "crm", of: Mapping[str, str] | None = None) -> None:
    """Register records of nobody (or `of` people), have them proposed, and let a second person approve."""
    with runtime.work("acme", OFFICER) as work:
        settings.put(work, percent=100, count=1000)
        for each in ids:
            whose = SubjectReference(of[each]) if of else None
            records.put(work, NewRecord(system, each, whose, "invoices" if of else "financial", OLD))
        made = runs.create(work, dry_run=False)
    assert sweeping.run(runtime, "acme", made.run_id)
    with runtime.snapshot("acme", SECOND) as snapshot:
        proposed = dispositions.listed(snapshot, state="proposed")
    with runtime.work("acme", SECOND) as work:
        for one in proposed:
            dispositions.approve(work, one.disposition_id)


def all_of(runtime: Runtime) -> dict[str, Disposition]:
    with runtime.snapshot("acme", OFFICER) as snapshot:
        return {each.record_id: each for each in dispositions.listed(snapshot)}


def test_records_end_in_their_system_and_what_it_keeps_is_said(world: World) -> None:
    world.put_system()
    before = world.dump()
    approve(world.runtime, "R-1", "R-2", "R-404")
    assert carry_out_retention.run(world.runtime) == 3
    assert gone(before, world.dump()) == {"invoice": 1, "invoice_line": 1}
    found = all_of(world.runtime)
    assert {name: (each.state, each.outcome) for name, each in found.items()} == {
        "R-1": ("done", "erased"),
        "R-2": ("blocked", "kept_until"),
        "R-404": ("done", "not_found"),
    }
    with world.runtime.snapshot("acme", OFFICER) as snapshot:
        keys = [("crm", name) for name in found]
        left = records.record_store.find_many(snapshot.connection, "acme", keys)
    assert list(left) == [("crm", "R-2")], "what is gone is watched no longer"
    assert carry_out_retention.run(world.runtime) == 0


def test_a_person_who_is_due_is_erased_with_everything_that_belongs_to_an_erasure(world: World) -> None:
    world.put_system()
    with world.runtime.work("acme", OFFICER) as work:
        settings.put(work, percent=100, count=1000)
        change = SubjectChange(country="DE", relationship="lead", acquired_at=OLD)
        ref = subjects.put(work, "crm-9", change).subject_ref
        made = runs.create(work, dry_run=False)
    assert sweeping.run(world.runtime, "acme", made.run_id)
    assert carry_out_retention.run(world.runtime) == 1
    (done,) = all_of(world.runtime).values()
    assert (done.state, done.outcome) == ("done", "erasure_ordered")
    with world.runtime.snapshot("acme", OFFICER) as snapshot:
        assert subjects.get_by_ref(snapshot, ref).erasure_pending
        (ordered,) = erasures.of_subject(snapshot, ref)
    assert ordered.is_open
    with world.runtime.work("acme", OFFICER) as work:
        again = runs.create(work, dry_run=True)
    assert sweeping.run(world.runtime, "acme", again.run_id)
    with world.runtime.snapshot("acme", OFFICER) as snapshot:
        counted = runs.get(snapshot, again.run_id).tally
    assert counted is not None
    assert (counted.total, counted.deletions) == (3, 0), "whoever is being erased is asked about no more"


def test_under_a_hold_no_system_is_asked(world: World) -> None:
    world.put_system()
    approve(world.runtime, "R-1")
    with world.runtime.work("acme", OFFICER) as work:
        scope = read_filter({"system": ["crm"]})
        holds.place(work, matter="M-1", reason="a claim", scope=scope)
    before = world.dump()
    carry_out_retention.run(world.runtime)
    assert world.dump() == before
    assert all_of(world.runtime)["R-1"].because == "legal-hold"


def test_a_system_that_is_not_there_is_a_failure_that_stops_nothing_else(world: World) -> None:
    world.put_system()
    approve(world.runtime, "X-1", system="lost")
    approve(world.runtime, "R-1")
    carry_out_retention.run(world.runtime)
    found = all_of(world.runtime)
    assert (found["X-1"].state, found["X-1"].because) == ("blocked", "unknown-system")
    assert found["R-1"].state == "done"


def test_a_table_that_is_gone_is_a_failure_and_is_proposed_again(world: World) -> None:
    world.put_system()
    approve(world.runtime, "R-1")
    crm.run(world.url, "DROP TABLE invoice_line;\nDROP TABLE invoice;\n")
    carry_out_retention.run(world.runtime)
    found = all_of(world.runtime)["R-1"]
    assert (found.state, found.because) == ("blocked", "system-failed")
    approve(world.runtime, "R-1")
    with world.runtime.snapshot("acme", OFFICER) as snapshot:
        assert [each.record_id for each in dispositions.listed(snapshot, state="approved")] == ["R-1"]


def refer_to(world: World, *ids: str) -> None:
    """A table that nobody mapped refers to invoices."""
    crm.run(
        world.url,
        "CREATE TABLE dunning (id INTEGER PRIMARY KEY, invoice VARCHAR(40) REFERENCES invoice(number));\n",
    )
    for number, each in enumerate(ids):
        crm.run(world.url, f"INSERT INTO dunning VALUES ({number}, '{each}');\n")


@pytest.mark.parametrize("bad", [["R-2"], ["R-1", "R-2"]])
def test_a_record_that_cannot_go_stops_no_other_and_says_why(world: World, bad: list[str]) -> None:
    world.put_system(tables=crm.tables(keep_invoices=False))
    ids = ["R-1", "R-2", *(f"R-{number}" for number in range(500, 510))]
    approve(world.runtime, *ids)
    refer_to(world, *bad)
    before = world.dump()
    assert carry_out_retention.run(world.runtime) == len(ids)
    found = all_of(world.runtime)
    assert {name for name, each in found.items() if each.state == "blocked"} == set(bad)
    assert {each.state for name, each in found.items() if name not in bad} == {"done"}
    assert gone(before, world.dump()).get("invoice", 0) == 2 - len(bad)
    for name in bad:
        assert (found[name].outcome, found[name].because) == ("failed", "system-failed")
        assert "dunning" in (found[name].sentence or "")
    approve(world.runtime)
    crm.run(world.url, "DELETE FROM dunning;\n")
    assert carry_out_retention.run(world.runtime) == len(bad), "only these are proposed again"
    assert gone(before, world.dump())["invoice"] == 2


@pytest.mark.parametrize("since", ["hold", "erasure"])
def test_what_happens_after_the_first_part_stops_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch, since: str
) -> None:
    """One record cannot go, so that halves are asked; after the first deletion something stops the rest."""
    tables = json.loads(json.dumps(crm.tables(keep_invoices=False)).replace("financial", "invoices"))
    world.put_system(tables=tables)
    people = list(world.refs)
    of = {"R-1": people[0], "R-2": people[0], "R-3": people[1]} | {
        f"R-{n}": people[2] for n in range(500, 509)
    }
    approve(world.runtime, *of, of=of)
    refer_to(world, "R-2")
    ask, asked = operations.run, list[str]()
    happened_at: list[int] = []

    def then_something_happens(opener: Opener, actor: Actor, tenant_id: str, one: Operation) -> Outcome:
        assert one.disposal is not None
        outcome = ask(opener, actor, tenant_id, one)
        asked.extend(one.disposal.record_ids if outcome.status == "done" or happened_at else ())
        if outcome.status == "done" and not happened_at:
            happened_at.append(len(asked))
            for each in people:
                happens(world, each, since)
        return outcome

    monkeypatch.setattr(operations, "run", then_something_happens)
    carry_out_retention.run(world.runtime)
    assert happened_at == [len(asked)], "nothing is asked for after it"
    found = all_of(world.runtime)
    failed_before = {name for name, each in found.items() if each.because == "system-failed"}
    stopped = {name: each.because for name, each in found.items() if name not in {*asked, *failed_before}}
    why = {"hold": "legal-hold", "erasure": "erasure-pending"}[since]
    assert len(stopped) >= 5
    assert failed_before <= {"R-2"}
    assert set(stopped.values()) == {why}
    assert {found[name].state for name in stopped} == {"blocked"}
    assert {found[name].state for name in asked} == {"done"}


def happens(world: World, external_id: str, what: str) -> None:
    """What stops the end of anybody's records."""
    ref = world.refs[external_id]
    if what == "hold":
        with world.runtime.work("acme", OFFICER) as work:
            holds.place(work, matter="M-1", reason="a claim", scope=HoldScope("subject", subject_ref=ref))
    else:
        world.order(external_id, hours=24)


def test_a_system_that_does_not_answer_is_not_asked_about_every_record(
    world: World, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put_system(tables=crm.tables(keep_invoices=False))
    ids = ["R-1", "R-2", *(f"R-{number}" for number in range(500, 530))]
    approve(world.runtime, *ids)
    asked: list[Operation] = []

    def silent(opener: Opener, actor: Actor, tenant_id: str, operation: Operation) -> Outcome:
        asked.append(operation)
        return failed("Nobody answers.", transient=True)

    with monkeypatch.context() as patched:
        patched.setattr(operations, "run", silent)
        disposing.carry_out(world.runtime, "acme")
        assert len(asked) == 1, "what may pass by itself is waited for first"
        clock.forward(timedelta(minutes=3))
        disposing.carry_out(world.runtime, "acme")
    assert 1 < len(asked) <= 10
    assert {each.state for each in all_of(world.runtime).values()} == {"executing"}
    clock.forward(timedelta(minutes=5))
    carry_out_retention.run(world.runtime)
    assert {each.state for each in all_of(world.runtime).values()} == {"done"}


def test_a_record_that_somebody_has_locked_holds_back_no_other(
    world: World, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put_system(tables=crm.tables(keep_invoices=False))
    approve(world.runtime, "R-1", "R-2", "R-501")
    ask = operations.run

    def locked(opener: Opener, actor: Actor, tenant_id: str, operation: Operation) -> Outcome:
        if operation.disposal is not None and "R-1" in operation.disposal.record_ids:
            return failed("Somebody has locked rows.", transient=True)
        return ask(opener, actor, tenant_id, operation)

    monkeypatch.setattr(operations, "run", locked)
    disposing.carry_out(world.runtime, "acme")
    clock.forward(timedelta(minutes=3))
    disposing.carry_out(world.runtime, "acme")
    found = {name: each.state for name, each in all_of(world.runtime).items()}
    assert found == {"R-1": "executing", "R-2": "done", "R-501": "done"}


@pytest.mark.parametrize("point", range(1, 12))
def test_killed_between_the_halves_it_happens_once(world: World, clock: HandClock, point: int) -> None:
    world.put_system(tables=crm.tables(keep_invoices=False))
    approve(world.runtime, "R-1", "R-2", "R-501")
    refer_to(world, "R-2")
    before = world.dump()
    try:
        disposing.carry_out(Dying(world.runtime, point), "acme")
    except Death:
        clock.forward(dispositions.LEASE + timedelta(seconds=1))
    carry_out_retention.run(world.runtime)
    assert gone(before, world.dump())["invoice"] == 1
    assert {name: each.state for name, each in all_of(world.runtime).items()} == {
        "R-1": "done",
        "R-2": "blocked",
        "R-501": "done",
    }


@pytest.mark.parametrize("point", range(1, 7))
def test_killed_at_any_transaction_it_happens_once(world: World, clock: HandClock, point: int) -> None:
    world.put_system(tables=crm.tables(keep_invoices=False))
    approve(world.runtime, "R-1", "R-2")
    before = world.dump()
    try:
        disposing.carry_out(Dying(world.runtime, point), "acme")
    except Death:
        clock.forward(dispositions.LEASE + timedelta(seconds=1))
    carry_out_retention.run(world.runtime)
    assert gone(before, world.dump())["invoice"] == 2
    assert {each.state for each in all_of(world.runtime).values()} == {"done"}
    assert carry_out_retention.run(world.runtime) == 0


class Death(BaseException):
    """The worker dies."""


class Dying:
    """A runtime whose worker dies before its n-th unit of work."""

    def __init__(self, runtime: Runtime, left: int) -> None:
        self.runtime, self.left = runtime, left
        self.snapshot: Callable[..., AbstractContextManager[object]] = runtime.snapshot

    def work(self, tenant_id: str, actor: Actor) -> AbstractContextManager[Work]:
        self.left -= 1
        if self.left == 0:
            raise Death
        return self.runtime.work(tenant_id, actor)
