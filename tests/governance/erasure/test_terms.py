"""What a schedule keeps after an erasure: until its day, then it goes; and how it gets a day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from governance.erasure import afterwards, saga, service, store
from governance.erasure.model import HELD, OWN, PARTLY_COMPLETE, WAITING, Erasure, Part
from governance.errors import ConflictError, InvalidError
from governance.reports import posture
from governance.retention import holds
from governance.retention.model import HoldScope
from governance.subjects import service as subjects
from governance.vault.model import OPERATIONAL
from retention_jobs import probe_erasures, run_erasures
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import OFFICER, SECOND, World

CLAIMS = date(2029, 1, 1)
"""Claims from a contract that ended on 1 March 2025 lapse at the end of 2028."""


@pytest.fixture
def stage() -> str:
    """Everybody is a client: claims are kept for a while."""
    return "client"


@pytest.fixture(autouse=True)
def no_rule_of_its_own(world: World) -> None:
    """The CRM keeps nothing by itself."""
    world.put_system(tables=crm.tables(keep_invoices=False))


def told(world: World, event: str, at: datetime, external_id: str = "crm-1") -> None:
    with world.runtime.work("acme", ACTOR) as work:
        subjects.record_event(work, world.refs[external_id], event=event, occurred_at=at)


def part(erasure: Erasure, data_class: str) -> Part:
    """What became of a class at the CRM; what is kept of it first."""
    found = [
        each
        for step in erasure.steps
        if step.system == "crm"
        for each in (*step.kept, *step.parts)
        if each.data_class == data_class
    ]
    return min(found, key=lambda each: each.outcome not in ("kept_until", "held"))


def jobs(world: World, clock: HandClock, at: datetime) -> None:
    clock.forward(at - clock.now())
    for _ in range(2):
        probe_erasures.run(world.runtime)
        run_erasures.run(world.runtime)


def contract(world: World) -> None:
    told(world, "contract_signed", datetime(2024, 1, 10, tzinfo=UTC))
    told(world, "contract_ended", datetime(2025, 3, 1, tzinfo=UTC))


def keys_left(world: World, erasure: Erasure) -> bool:
    with world.runtime.snapshot("acme", ACTOR) as snap:
        return store.sealed_keys(snap.connection, "acme", erasure.erasure_id) is not None


def undated(world: World) -> int:
    with world.runtime.snapshot("acme", ACTOR) as snap:
        lines = {line["id"]: line["count"] for line in posture.report(snap)["lines"]}
    return int(lines["erasures-undated"])


def test_what_a_schedule_keeps_goes_on_its_day(world: World, clock: HandClock) -> None:
    contract(world)
    done = world.run(world.order("crm-1"))
    assert done.status == PARTLY_COMPLETE
    assert (part(done, "support_cases").until, part(done, "support_cases").rule) == (CLAIMS, "de.claims")
    left = world.dump()
    assert "My name is Anna" in repr(left["support_case"])
    assert "crm-1" not in repr(left["contact"])
    jobs(world, clock, datetime(2028, 12, 31, 12, tzinfo=UTC))
    assert "My name is Anna" in repr(world.dump()["support_case"]), "to the last day"
    jobs(world, clock, datetime(2029, 1, 2, 12, tzinfo=UTC))
    gone = world.look(done)
    assert "My name is Anna" not in repr(world.dump()["support_case"]), gone.steps
    assert (gone.status, part(gone, "support_cases").outcome) == ("complete", "erased")
    assert gone.certificate != done.certificate
    jobs(world, clock, datetime(2029, 1, 12, tzinfo=UTC))
    assert world.runtime.vault.is_shredded("acme", done.erasure_id, OPERATIONAL)
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert store.sealed_facts(snap.connection, "acme", done.erasure_id) is None


def test_a_hold_on_one_class_stops_that_class_only_and_its_day_is_kept(
    world: World, clock: HandClock
) -> None:
    contract(world)
    with world.runtime.work("acme", OFFICER) as work:
        scope = HoldScope("data_class", values={"data_class": ("transactions",)})
        hold_id = holds.place(work, matter="Case 7", scope=scope, reason="A lawsuit.").hold_id
    ordered = world.order("crm-1")
    waits = world.run(ordered)
    assert waits.status == WAITING
    steps = {step.system: step for step in waits.steps}
    assert (steps["crm"].status, steps[OWN].outcome) == (HELD, "erased")
    assert part(waits, "transactions").outcome == "held"
    assert part(waits, "interactions").outcome == "erased"
    left = world.dump()
    assert "Anna asked" not in repr(left["activity"]), "nothing holds this"
    assert "crm-1" not in repr(left["contact"])
    assert "Anna alone" in repr(left["opportunity"])
    with world.runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    clock.forward(timedelta(hours=2))
    done = world.run(ordered)
    assert done.status == PARTLY_COMPLETE, done.steps
    assert part(done, "transactions").until == CLAIMS, "reckoned from what was known before it was blank"
    jobs(world, clock, datetime(2029, 1, 2, 12, tzinfo=UTC))
    assert "Anna alone" not in repr(world.dump()["opportunity"])
    assert world.look(done).status == "complete"


def test_a_hold_placed_on_a_class_after_the_plans_leaves_the_rest_to_go_on(world: World) -> None:
    contract(world)
    ordered = world.order("crm-1")
    with world.runtime.work("acme", saga.ACTOR) as work:
        saga._begin(work, service.get(work, ordered.erasure_id))
    with world.runtime.work("acme", OFFICER) as work:
        scope = HoldScope("data_class", values={"data_class": ("interactions",)})
        holds.place(work, matter="Case 8", scope=scope, reason="A lawsuit.")
    waits = world.run(ordered)
    assert waits.status == WAITING
    assert "Anna asked" in repr(world.dump()["activity"])
    assert part(waits, "contact_details").outcome in ("erased", "anonymised")


def test_what_has_no_day_keeps_the_identifiers_until_somebody_tells_what_ended(
    world: World, clock: HandClock
) -> None:
    """A client of whom no contract is recorded: nobody can say when claims lapse."""
    done = world.run(world.order("crm-1"))
    assert (part(done, "support_cases").until, done.awaits_date) == (None, True)
    assert undated(world) == 1
    jobs(world, clock, datetime(2027, 6, 1, tzinfo=UTC))
    assert keys_left(world, done)
    assert "My name is Anna" in repr(world.dump()["support_case"])
    with world.runtime.work("acme", OFFICER) as work:
        with pytest.raises(InvalidError):
            afterwards.note_event(work, done.erasure_id, "contract_signed", None)
        with pytest.raises(InvalidError):
            afterwards.note_event(work, done.erasure_id, "contract_ended", work.now + timedelta(days=1))
    with world.runtime.work("acme", OFFICER) as work:
        at = datetime(2025, 3, 1, tzinfo=UTC)
        afterwards.note_event(work, done.erasure_id, "contract_ended", at)
    run_erasures.run(world.runtime)
    dated = world.look(done)
    assert (dated.status, part(dated, "support_cases").until) == (PARTLY_COMPLETE, CLAIMS), dated.steps
    assert dated.certificate != done.certificate
    assert undated(world) == 0
    jobs(world, clock, datetime(2029, 1, 2, 12, tzinfo=UTC))
    assert "My name is Anna" not in repr(world.dump()["support_case"])
    assert world.look(done).status == "complete"
    jobs(world, clock, datetime(2029, 1, 12, tzinfo=UTC))
    assert not keys_left(world, done)
    with pytest.raises(ConflictError) as late, world.runtime.work("acme", OFFICER) as work:
        afterwards.note_event(work, done.erasure_id, "contract_ended", None)
    assert late.value.reason == "nothing-kept"


def test_of_whoever_is_here_events_go_to_the_person(world: World) -> None:
    scoped = world.run(world.order("crm-1", scope=["support_cases"]))
    with pytest.raises(ConflictError) as here, world.runtime.work("acme", OFFICER) as work:
        afterwards.note_event(work, scoped.erasure_id, "contract_ended", None)
    assert here.value.reason == "still-here"


def test_changed_schedules_reckon_the_days_anew(
    world: World, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedules in force count: a shorter duty lets go sooner, a longer one keeps on."""
    contract(world)
    done = world.run(world.order("crm-1"))
    real = afterwards.planning.retention.schedules
    change = {"years": 1}

    def changed(snap: object) -> object:
        schedules = real(snap)  # type: ignore[arg-type]
        rules = tuple(
            replace(rule, period=replace(rule.period, n=change["years"])) if rule.id == "de.claims" else rule
            for rule in schedules.rules
        )
        return SimpleNamespace(rules=rules)

    monkeypatch.setattr(afterwards.planning.retention, "schedules", changed)
    jobs(world, clock, datetime(2027, 1, 2, 12, tzinfo=UTC))
    assert part(world.look(done), "support_cases").until == CLAIMS, "nothing was adopted yet"
    monkeypatch.setattr(afterwards.frozen, "policy_in_force", lambda snap: f"digest-{change['years']}")
    change["years"] = 5
    jobs(world, clock, datetime(2027, 1, 3, 12, tzinfo=UTC))
    assert part(world.look(done), "support_cases").until == date(2031, 1, 1)
    change["years"] = 1
    jobs(world, clock, datetime(2027, 1, 4, 12, tzinfo=UTC))
    assert part(world.look(done), "support_cases").outcome == "erased"
    assert "My name is Anna" not in repr(world.dump()["support_case"])


def test_what_is_told_while_a_hold_still_stands_counts_when_the_case_ends(
    world: World, clock: HandClock
) -> None:
    with world.runtime.work("acme", OFFICER) as work:
        scope = HoldScope("data_class", values={"data_class": ("transactions",)})
        hold_id = holds.place(work, matter="Case 9", scope=scope, reason="A lawsuit.").hold_id
    ordered = world.order("crm-1")
    assert part(world.run(ordered), "support_cases").until is None
    with world.runtime.work("acme", OFFICER) as work:
        at = datetime(2025, 3, 1, tzinfo=UTC)
        afterwards.note_event(work, ordered.erasure_id, "contract_ended", at)
    with world.runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    jobs(world, clock, clock.now() + timedelta(hours=2))
    jobs(world, clock, clock.now() + timedelta(hours=2))
    done = world.look(ordered)
    assert part(done, "transactions").until == CLAIMS
    assert part(done, "support_cases").until == CLAIMS, done.steps
    assert undated(world) == 0


def test_an_earlier_case_of_one_class_goes_by_what_was_known_last(world: World, clock: HandClock) -> None:
    """The person went on as a client after the first order: the later end of the contract counts."""
    contract(world)
    scoped = world.run(world.order("crm-1", scope=["support_cases"]))
    assert part(scoped, "support_cases").until == CLAIMS
    told(world, "contract_ended", datetime(2026, 11, 1, tzinfo=UTC))
    clock.forward(timedelta(seconds=1))
    whole = world.run(world.order("crm-1"))
    later = date(2030, 1, 1)
    assert part(whole, "support_cases").until == later
    jobs(world, clock, datetime(2029, 1, 2, 12, tzinfo=UTC))
    assert "My name is Anna" in repr(world.dump()["support_case"])
    assert part(world.look(scoped), "support_cases").until == later
    jobs(world, clock, datetime(2030, 1, 2, 12, tzinfo=UTC))
    assert "My name is Anna" not in repr(world.dump()["support_case"])
