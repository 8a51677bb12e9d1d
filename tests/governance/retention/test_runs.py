"""Runs: counts and samples, what differs, the blast radius and its second person, dispositions."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.errors import ConflictError
from governance.events import Actor
from governance.ledger import service as ledger
from governance.retention import (
    disposition_store,
    dispositions,
    holds,
    records,
    run_store,
    runs,
    service,
    settings,
    sweeping,
)
from governance.retention.model import SCHEDULE, SUBJECT, HoldScope, Refusal, read_filter
from governance.retention.records import NewRecord
from governance.retention.runs import Run
from governance.retention.store import governed_record
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from retention_jobs import notify_holds, run_retention, sweep_retention
from tests.conftest import START, HandClock
from tests.governance.retention.conftest import COUNSEL, OFFICER, TENANT, Person

OLD = datetime(2015, 3, 4, tzinfo=UTC)
RECENT = datetime(2026, 3, 4, tzinfo=UTC)
EXECUTOR = Actor("job:erase", "job")


def register(
    runtime: Runtime, count: int, data_class: str = "decisions", created: datetime = OLD, **said: object
) -> None:
    told = [
        NewRecord("crm", f"{data_class}-{created.year}-{number:04}", None, data_class, created, **said)  # type: ignore[arg-type]
        for number in range(count)
    ]
    with runtime.work(TENANT, OFFICER) as work:
        assert all(each.refusal is None for each in records.put_many(work, told))


def start(runtime: Runtime, *, dry_run: bool = False, actor: Actor = OFFICER) -> Run:
    with runtime.work(TENANT, actor) as work:
        made = runs.create(work, dry_run=dry_run)
    assert sweeping.run(runtime, TENANT, made.run_id)
    return look(runtime, made.run_id)


def look(runtime: Runtime, run_id: str) -> Run:
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        return runs.get(snapshot, run_id)


def states(runtime: Runtime, run_id: str | None = None) -> dict[str, int]:
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        return disposition_store.counts(snapshot.connection, TENANT, run_id)


def counted(run: Run) -> dict[tuple[str, str], int]:
    assert run.tally is not None
    return dict(run.tally.counts)


def test_a_dry_run_counts_by_rule_shows_samples_and_changes_nothing(
    any_runtime: Runtime, person: Person
) -> None:
    person(acquired_at=OLD)
    register(any_runtime, 30)
    register(any_runtime, 3, created=RECENT)
    register(any_runtime, 2, "special_categories")
    first = start(any_runtime, dry_run=True)
    assert first.status == "completed"
    assert counted(first) == {
        ("everywhere.own-decisions", "delete"): 30,
        ("everywhere.own-decisions", "keep"): 3,
        ("everywhere.people-after-silence", "delete"): 1,
        ("no-rule", "review"): 2,
    }
    assert states(any_runtime) == {}
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        shown = runs.document(snapshot, first)
    assert (shown["total"], shown["deletions"], shown["reviews"], shown["kept"]) == (36, 31, 2, 3)
    samples = {each["rule"]: each["samples"] for each in shown["counts"] if each["disposition"] == "delete"}
    assert len(samples["everywhere.own-decisions"]) == 10
    assert samples["everywhere.people-after-silence"] == [{"system": "governance", "record": "crm-1"}]
    assert shown["diff"][0] == {
        "rule": "everywhere.own-decisions",
        "disposition": "delete",
        "before": 0,
        "now": 30,
    }
    register(any_runtime, 5, created=OLD + timedelta(days=400))
    second = start(any_runtime, dry_run=True)
    assert second.before_run == first.run_id
    assert list(second.diff) == [
        {"rule": "everywhere.own-decisions", "disposition": "delete", "before": 30, "now": 35}
    ]


def test_within_the_blast_radius_what_is_due_is_approved_and_handed_over(
    any_runtime: Runtime, person: Person
) -> None:
    register(any_runtime, 3)
    register(any_runtime, 1, "special_categories")
    register(any_runtime, 96, created=RECENT)
    with any_runtime.work(TENANT, OFFICER) as work:
        settings.put(work, percent=3, count=3)
    done = start(any_runtime)
    assert (done.status, done.within_limit) == ("completed", True)
    assert states(any_runtime) == {"approved": 3, "proposed": 1}
    with any_runtime.work(TENANT, EXECUTOR) as work:
        taken = dispositions.claim(work, most=2)
        assert [each.state for each in taken] == ["executing", "executing"]
    with any_runtime.work(TENANT, Actor("job:other", "job")) as work:
        assert len(dispositions.claim(work)) == 1, "what somebody carries out is nobody else's"
    with any_runtime.work(TENANT, EXECUTOR) as work:
        assert dispositions.settle(work, taken[0], outcome="erased", rows=4)
        assert not dispositions.settle(work, taken[0], outcome="erased", rows=4), "settled once"
        assert dispositions.settle(work, taken[1], outcome="failed", because="unreachable")
    assert states(any_runtime) == {"blocked": 1, "done": 1, "executing": 1, "proposed": 1}
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        left = snapshot.connection.scalar(
            sa.select(sa.func.count()).where(governed_record.c.tenant_id == TENANT)
        )
    assert left == 99, "what is gone is watched no longer, what failed is"
    start(any_runtime)
    assert states(any_runtime)["approved"] == 1, "what was stopped is proposed again"


@pytest.mark.parametrize(("percent", "count"), [(2.9, 1000), (100, 2)])
def test_beyond_the_blast_radius_a_run_stops_until_a_second_person_approves(
    any_runtime: Runtime, percent: float, count: int
) -> None:
    register(any_runtime, 3)
    register(any_runtime, 97, created=RECENT)
    with any_runtime.work(TENANT, OFFICER) as work:
        settings.put(work, percent=percent, count=count)
    stopped = start(any_runtime)
    assert (stopped.status, stopped.within_limit) == ("awaiting_approval", False)
    assert states(any_runtime) == {"proposed": 3}
    assert not sweeping.run(any_runtime, TENANT, stopped.run_id)
    with any_runtime.work(TENANT, EXECUTOR) as work:
        assert dispositions.claim(work) == ()
    with any_runtime.work(TENANT, OFFICER) as work:
        with pytest.raises(ConflictError, match="waits for approval"):
            runs.create(work, dry_run=False)
        refused = runs.approve(work, stopped.run_id)
    assert isinstance(refused, Refusal)
    assert look(any_runtime, stopped.run_id).status == "awaiting_approval"
    with any_runtime.work(TENANT, COUNSEL) as work:
        assert not isinstance(runs.approve(work, stopped.run_id), Refusal)
    assert sweeping.run(any_runtime, TENANT, stopped.run_id)
    assert look(any_runtime, stopped.run_id).status == "completed"
    assert states(any_runtime) == {"approved": 3}
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        kinds = [each.kind for each in ledger.entries(snapshot.connection, TENANT, after=0, limit=500)]
    assert "retention.approval_refused" in kinds
    assert kinds[-2:] == ["retention.dispositions_approved", "retention.run_completed"]


def test_a_run_called_off_withdraws_what_it_proposed(any_runtime: Runtime) -> None:
    register(any_runtime, 3)
    stopped = start(any_runtime)
    assert stopped.status == "awaiting_approval"
    with any_runtime.work(TENANT, OFFICER) as work:
        runs.cancel(work, stopped.run_id)
    assert run_retention.run(any_runtime) == 1
    assert look(any_runtime, stopped.run_id).status == "cancelled"
    assert states(any_runtime) == {"withdrawn": 3}
    with any_runtime.work(TENANT, COUNSEL) as work:
        with pytest.raises(ConflictError, match="finished"):
            runs.cancel(work, stopped.run_id)
        with pytest.raises(ConflictError, match="does not wait"):
            runs.approve(work, stopped.run_id)


def approved(runtime: Runtime, ref: str) -> str:
    """A person's own data, proposed and approved."""
    with runtime.work(TENANT, OFFICER) as work:
        settings.put(work, percent=100, count=1000)
    start(runtime)
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        (one,) = dispositions.listed(snapshot, state="approved")
    assert one.subject_ref == ref
    return one.disposition_id


def claimed(runtime: Runtime) -> tuple[dispositions.Disposition, ...]:
    with runtime.work(TENANT, EXECUTOR) as work:
        return dispositions.claim(work)


@pytest.mark.parametrize("scope", ["subject", "filter"])
def test_a_hold_before_during_and_after(any_runtime: Runtime, person: Person, scope: str) -> None:
    ref = person(acquired_at=OLD)
    on = HoldScope(SUBJECT, ref) if scope == "subject" else read_filter({"country": ["DE"]})

    def put_on() -> str:
        with any_runtime.work(TENANT, COUNSEL) as work:
            return holds.place(work, matter="M-1", reason="a claim", scope=on).hold_id

    def release(hold_id: str) -> None:
        with any_runtime.work(TENANT, OFFICER) as work:
            holds.release(work, hold_id)

    # before: nothing is proposed
    first = put_on()
    assert counted(start(any_runtime)) == {("legal-hold", "keep"): 1}
    assert states(any_runtime) == {}
    release(first)
    # after it was approved: it is stopped at the claim, and says why
    one = approved(any_runtime, ref)
    second = put_on()
    assert claimed(any_runtime) == ()
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        found = dispositions.get(snapshot, one)
    assert (found.state, found.because) == ("blocked", "legal-hold")
    # once it is released, it goes on by itself with the next run
    release(second)
    approved(any_runtime, ref)
    # during: the executor let its lease run out, and whoever comes next sees the hold
    (taken,) = claimed(any_runtime)
    third = put_on()
    any_runtime.clock.forward(dispositions.LEASE + timedelta(seconds=1))  # type: ignore[attr-defined]
    assert claimed(any_runtime) == ()
    with any_runtime.work(TENANT, EXECUTOR) as work:
        assert not dispositions.settle(work, taken, outcome="erased", rows=1), "the fence is passed by nobody"
    release(third)


def test_a_new_contract_or_an_erasure_under_way_stops_what_was_approved(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person(acquired_at=OLD)
    one = approved(any_runtime, ref)
    with any_runtime.work(TENANT, OFFICER) as work:
        subjects.record_event(work, ref, event="inquiry")
    assert claimed(any_runtime) == ()
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        assert dispositions.get(snapshot, one).because == "retention-required"


def test_a_lease_that_is_renewed_is_nobody_else_s(
    any_runtime: Runtime, person: Person, clock: HandClock
) -> None:
    approved(any_runtime, person(acquired_at=OLD))
    (taken,) = claimed(any_runtime)
    clock.forward(dispositions.LEASE - timedelta(seconds=1))
    with any_runtime.work(TENANT, EXECUTOR) as work:
        assert dispositions.renew(work, taken)
    clock.forward(timedelta(seconds=2))
    assert claimed(any_runtime) == ()
    clock.forward(dispositions.LEASE)
    (again,) = claimed(any_runtime)
    assert again.fence == taken.fence + 1
    with any_runtime.work(TENANT, EXECUTOR) as work:
        assert not dispositions.renew(work, taken)
        assert dispositions.settle(work, again, outcome="anonymised", rows=1)


def test_what_is_to_be_reviewed_waits_for_a_person_who_approves_or_keeps_it(
    any_runtime: Runtime, clock: HandClock
) -> None:
    register(any_runtime, 2, "special_categories")
    with any_runtime.work(TENANT, OFFICER) as work:
        settings.put(work, percent=100, count=1000)
    start(any_runtime)
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        goes, stays = dispositions.listed(snapshot, state="proposed")
    assert goes.demand == "review"
    with any_runtime.work(TENANT, OFFICER) as work:
        assert isinstance(dispositions.approve(work, goes.disposition_id), Refusal)
        kept = dispositions.keep(work, stays.disposition_id, until=date(2027, 11, 21), because="still used")
        assert (kept.state, kept.kept_until) == ("kept", "2027-11-21")
    with any_runtime.work(TENANT, COUNSEL) as work:
        dispositions.approve(work, goes.disposition_id)
        with pytest.raises(ConflictError, match="decided already"):
            dispositions.keep(work, goes.disposition_id, until=date(2027, 11, 21), because="too late")
    assert [each.disposition_id for each in claimed(any_runtime)] == [goes.disposition_id]
    start(any_runtime)
    assert states(any_runtime) == {"executing": 1, "kept": 1}
    clock.at = datetime(2027, 11, 22, 12, tzinfo=UTC)
    start(any_runtime)
    assert states(any_runtime)["proposed"] == 1


def test_the_timetable_proposes_and_waits_until_somebody_has_set_a_blast_radius(
    any_runtime: Runtime, person: Person
) -> None:
    person(acquired_at=OLD)
    assert sweep_retention.run(any_runtime) == 1
    assert sweep_retention.run(any_runtime) == 0, "one run at a time"
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        (waiting,) = runs.listed(snapshot)
    assert waiting.status == "awaiting_approval"
    with any_runtime.work(TENANT, OFFICER) as work:
        runs.approve(work, waiting.run_id)
        settings.put(work, percent=100)
    assert run_retention.run(any_runtime) == 1
    assert states(any_runtime) == {"approved": 1}


def test_holds_are_noticed_by_the_timetable(any_runtime: Runtime, clock: HandClock) -> None:
    with any_runtime.work(TENANT, COUNSEL) as work:
        for days in (3, 20, 90, 0):
            end = None if days == 0 else clock.at + timedelta(days=days)
            scope = read_filter({"country": ["DE"]})
            holds.place(work, matter="M", reason="why", scope=scope, expires_at=end)
    assert notify_holds.run(any_runtime) == 2
    assert notify_holds.run(any_runtime) == 0
    clock.forward(timedelta(days=4))
    assert notify_holds.run(any_runtime) == 1
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        assert [each.state for each in holds.listed(snapshot)].count("active") == 3
        assert len(holds.listed(snapshot, state="expired")) == 1


def test_the_forecast_tells_the_months_in_which_data_fall_due(any_runtime: Runtime, person: Person) -> None:
    person(acquired_at=datetime(2024, 1, 15, tzinfo=UTC))
    register(any_runtime, 4, created=datetime(2024, 1, 31, tzinfo=UTC))
    register(any_runtime, 2)  # due already
    register(any_runtime, 1, "suppressions")
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        told = runs.forecast(snapshot, months=3)
    assert [(each["month"], each["records"]) for each in told["months"]] == [
        ("2026-11", 2),
        ("2026-12", 0),
        ("2027-01", 5),
    ]
    assert told["months"][2]["by_data_class"] == {"contact_details": 1, "decisions": 4}
    assert told["months"][2]["by_country"] == {"DE": 1, "unknown": 4}
    assert told["undated"] == 1


CLASSES = (
    "contact_details",
    "invoices",
    "notes",
    "consent_proofs",
    "contracts",
    "suppressions",
    "special_categories",
)
EVENTS = ("inquiry", "purchase", "contract_signed", "contract_ended", "complaint_opened", "invoice_opened")


def test_many_weighed_at_once_get_the_answers_that_each_gets_alone(
    any_runtime: Runtime, person: Person
) -> None:
    chance = random.Random(5)
    for number in range(24):
        ref = person(
            f"crm-{number}",
            country=chance.choice(["DE", "FR", "GB", "US", None]),
            stage=chance.choice(["lead", "client", "churned"]),
            acquired_at=START - timedelta(days=chance.randint(0, 4000)),
        )
        with any_runtime.work(TENANT, OFFICER) as work:
            for event in chance.sample(EVENTS, chance.randint(0, 3)):
                at = START - timedelta(days=chance.randint(0, 3000))
                subjects.record_event(work, ref, event=event, occurred_at=at)
            for each in range(3):
                told = NewRecord(
                    "crm",
                    f"r-{number}-{each}",
                    chance.choice([None, SubjectReference(id=f"crm-{number}")]),
                    chance.choice(CLASSES),
                    START - timedelta(days=chance.randint(0, 5000), hours=chance.randint(0, 23)),
                    jurisdiction=chance.choice([None, "DE", "US-CA"]),
                )
                records.put(work, told)
            if number % 8 == 0:
                holds.place(work, matter="M", reason="why", scope=HoldScope(SUBJECT, ref))
    seen = set()
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        for page in runs.pages(snapshot):
            for found in page:
                own = found.system == "governance"
                alone = service.verdict(
                    snapshot,
                    found.subject_ref,
                    found.data_class,
                    system=found.system,
                    record=found.record_id,
                    created_at=START if own else None,
                    occasion=SCHEDULE,
                )
                rule = "legal-hold" if alone.held_by else alone.rule or "no-rule"
                assert (found.disposition, found.rule, found.until) == (alone.disposition, rule, alone.until)
                seen.add((found.disposition, found.rule))
    assert len(seen) > 8
    assert {each[0] for each in seen} == {"delete", "keep", "review"}


def test_a_real_run_goes_on_from_where_its_worker_died(any_runtime: Runtime, clock: HandClock) -> None:
    for year in (2014, 2015, 2016):
        register(any_runtime, 500, created=datetime(year, 1, 1, tzinfo=UTC))
    with any_runtime.work(TENANT, OFFICER) as work:
        settings.put(work, percent=100, count=10_000)
        made = runs.create(work, dry_run=False)
    dying = Dying(any_runtime, after=3)
    with pytest.raises(Death):
        sweeping.run(dying, TENANT, made.run_id)
    half = look(any_runtime, made.run_id)
    assert (half.status, half.progress) == ("running", 1000)
    assert states(any_runtime) == {"proposed": 1000}
    assert not sweeping.run(any_runtime, TENANT, made.run_id), "the lease of the dead still runs"
    clock.forward(run_store.LEASE + timedelta(seconds=1))
    assert run_retention.run(any_runtime) == 1
    assert states(any_runtime) == {"approved": 1500}
    done = look(any_runtime, made.run_id)
    assert (done.status, done.progress) == ("completed", 1500)


def test_a_worker_who_lost_the_lease_writes_nothing_more(any_runtime: Runtime, clock: HandClock) -> None:
    register(any_runtime, 500)
    with any_runtime.work(TENANT, OFFICER) as work:
        made = runs.create(work, dry_run=False)

    class Slow(Dying):
        def heed(self) -> None:
            clock.forward(run_store.LEASE + timedelta(seconds=1))
            with any_runtime.work(TENANT, COMMAND_LINE) as work, work.bookkeeping():
                run_store.claim(work.connection, TENANT, made.run_id, "another", work.now)

    assert not sweeping.run(Slow(any_runtime, after=99), TENANT, made.run_id)
    assert look(any_runtime, made.run_id).progress == 500


class Death(BaseException):
    """The worker dies."""


class Dying:
    """A runtime whose worker dies at its n-th transaction, before it commits."""

    def __init__(self, runtime: Runtime, *, after: int) -> None:
        self._runtime = runtime
        self._left = after
        self.clock = runtime.clock
        self.snapshot = runtime.snapshot
        self.tenant_ids = runtime.tenant_ids

    def work(self, tenant_id: str, actor: Actor):  # type: ignore[no-untyped-def]
        if self._left == 0:
            raise Death
        self._left -= 1
        return self._runtime.work(tenant_id, actor)

    def heed(self) -> None:
        pass
