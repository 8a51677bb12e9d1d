"""After an erasure: the second look, the end of a term, the end of the evidence, a restored backup."""

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.consent import service as consent
from governance.consent.acts import NewConsent
from governance.consent.objections import NewObjection
from governance.erasure import replay, service, store
from governance.erasure.model import OWN, PARTLY_COMPLETE
from governance.erasure.tables import erasure
from governance.errors import ConflictError, NotReadyError, UnreadableError
from governance.ledger import service as ledger
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.vault.model import EVIDENCE, OPERATIONAL
from retention_jobs import probe_erasures, run_erasures
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.erasure.conftest import World


def test_what_comes_back_after_an_erasure_reopens_the_case(world: World, clock: HandClock) -> None:
    done = world.run(world.order("crm-1"))
    assert done.status == PARTLY_COMPLETE
    crm.run(
        world.url,
        "INSERT INTO contact (id, crm_id, family_name, restricted) VALUES (9, 'crm-1', 'Anna', FALSE);\n",
    )
    clock.forward(timedelta(days=8))
    probe_erasures.run(world.runtime)
    assert world.look(done).status == "in_progress"
    run_erasures.run(world.runtime)
    again = world.look(done)
    assert again.status == PARTLY_COMPLETE, again.steps
    assert "crm-1" not in repr(world.dump()["contact"])
    clock.forward(timedelta(days=8))
    probe_erasures.run(world.runtime)
    assert world.look(done).probed_at == clock.now()


def test_an_invoice_goes_when_its_duty_ends_and_the_identifiers_with_it(
    world: World, clock: HandClock
) -> None:
    done = world.run(world.order("crm-1"))
    assert "R-2" in repr(world.dump()["invoice"])
    clock.forward(timedelta(days=8))
    probe_erasures.run(world.runtime)
    clock.forward(timedelta(days=365 * 9))
    probe_erasures.run(world.runtime)
    run_erasures.run(world.runtime)
    over = world.look(done)
    assert "R-2" not in repr(world.dump()["invoice"]), over.steps
    clock.forward(timedelta(days=8))
    probe_erasures.run(world.runtime)
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert store.sealed_keys(snap.connection, "acme", done.erasure_id) is None
    assert world.runtime.vault.is_shredded("acme", done.erasure_id, OPERATIONAL)


def test_an_erasure_that_a_restriction_stopped_goes_on_when_it_is_lifted(
    world: World, clock: HandClock
) -> None:
    """Nobody has to order it again; until then nothing is touched, not even when days have passed."""
    ref, before = world.refs["crm-1"], world.dump()

    def restrict(on: bool) -> None:
        with world.runtime.work("acme", ACTOR) as work:
            subjects.set_restriction(work, ref, on)

    restrict(True)
    done = world.run(world.order("crm-1"))
    assert (done.status, done.awaits_lifting) == (PARTLY_COMPLETE, True)
    for _ in range(3):  # the second look, and the day after the evidence of nobody would have ended
        clock.forward(timedelta(days=8))
        probe_erasures.run(world.runtime)
        assert run_erasures.run(world.runtime) == 0
    assert world.dump() == before
    assert not world.runtime.vault.is_shredded("acme", ref, EVIDENCE), "the person is here"
    restrict(False)
    probe_erasures.run(world.runtime)
    probe_erasures.run(world.runtime)
    assert run_erasures.run(world.runtime) >= 2
    over = world.look(done)
    assert (over.status, over.steps[-1].outcome) == (PARTLY_COMPLETE, "erased"), over.steps
    assert not over.awaits_lifting, "an invoice is kept, with its day"
    assert "crm-1" not in repr(world.dump()["contact"])
    assert over.certificate != done.certificate
    assert over.evidence_until is not None
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.get_by_ref(snap, ref).erased
        told = ledger.entries(snap.connection, "acme", after=-1, limit=500)
    assert [entry.kind for entry in told].count("erasure.restriction_over") == 1


def test_what_a_later_order_has_erased_is_not_taken_up_again(world: World, clock: HandClock) -> None:
    ref = world.refs["crm-1"]
    with world.runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, ref, True)
    first = world.run(world.order("crm-1"))
    with world.runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, ref, False)
    later = world.order("crm-1")
    assert later.erasure_id != first.erasure_id
    probe_erasures.run(world.runtime)
    assert world.look(first).status == PARTLY_COMPLETE, "the later order does it"
    assert world.run(later).steps[-1].outcome == "erased"
    for _ in range(2):
        clock.forward(timedelta(days=8))
        probe_erasures.run(world.runtime)
        assert run_erasures.run(world.runtime) == 0
    assert world.look(first).status == PARTLY_COMPLETE
    assert world.runtime.vault.is_shredded("acme", first.erasure_id, OPERATIONAL), "nothing waits for it"


def test_what_is_kept_for_years_hides_nothing_behind_it(
    world: World, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_erasures, "_BATCH", 1)
    world.run(world.order("crm-1"))  # an invoice, kept for years
    with world.runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, world.refs["crm-2"], True)
    second = world.run(world.order("crm-2"))
    with world.runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, world.refs["crm-2"], False)
    probe_erasures.run(world.runtime)
    assert world.look(second).status == "in_progress"


def test_the_evidence_key_goes_at_its_term_and_not_before(world: World, clock: HandClock) -> None:
    ref = world.refs["crm-4"]
    with world.runtime.work("acme", ACTOR) as work:
        act = NewConsent(
            ref,
            "marketing",
            "granted",
            "web_form",
            channel="email",
            contact_point=Identifier("email", "dora@example.org"),
            evidence={"form_url": "https://www.example.org/"},
        )
        consent.record(work, act)
        consent.record(work, NewConsent(ref, "marketing", "withdrawn", "web_form", channel="email"))
    done = world.run(world.order("crm-4"))
    assert done.evidence_until is not None
    assert done.evidence_until > clock.now().date()
    probe_erasures.run(world.runtime)
    assert not world.runtime.vault.is_shredded("acme", ref, EVIDENCE)
    clock.at = clock.at.replace(year=done.evidence_until.year + 1)
    probe_erasures.run(world.runtime)
    assert world.runtime.vault.is_shredded("acme", ref, EVIDENCE)
    assert world.look(done).evidence_shredded_at == clock.now()


def test_a_no_outlives_the_person_on_the_address(world: World) -> None:
    ref = world.refs["crm-1"]
    with world.runtime.work("acme", ACTOR) as work:
        consent.object_(work, NewObjection(subject_ref=ref, scope="all", method="call"))
    world.run(world.order("crm-1"))
    with world.runtime.snapshot("acme", ACTOR) as snap:
        for value in (Identifier("email", "anna@example.org"), Identifier("phone", "+493012345678")):
            bars = consent.lookup(snap, contact_point=value)
            assert [bar.scope for bar in bars] == ["purpose"], value.type


def test_a_restored_backup_brings_nobody_back(world: World, clock: HandClock) -> None:
    if world.runtime.engine.dialect.name != "sqlite":
        pytest.skip("the backup of a file; PostgreSQL is restored in tests/promises")
    runtime = world.runtime
    ref = world.refs["crm-1"]
    path = runtime.engine.url.database
    assert path is not None
    runtime.engine.dispose()
    plain = sqlite3.connect(path)
    assert plain.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    plain.close()
    shutil.copy(path, f"{path}.backup")
    done = world.run(world.order("crm-1", hours=24))
    clock.forward(timedelta(hours=25))
    world.run(done)
    replay.check_whole(runtime, ["acme"])
    runtime.engine.dispose()
    for suffix in ("-wal", "-shm"):
        Path(path + suffix).unlink(missing_ok=True)
    shutil.copy(f"{path}.backup", path)
    with runtime.snapshot("acme", ACTOR) as snap:
        assert not subjects.get_by_ref(snap, ref).erased, "the backup holds the person"
        assert list(replay.due(snap)) == [ref]
        with pytest.raises(UnreadableError):
            subjects.reveal_point(snap, subjects.points(snap, ref)[0])
    with pytest.raises(NotReadyError, match="governance erasures replay"):
        replay.check_whole(runtime, ["acme"])
    assert replay.replay(runtime, "acme") == 1
    replay.check_whole(runtime, ["acme"])
    assert replay.replay(runtime, "acme") == 0
    with runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.get_by_ref(snap, ref).erased
        assert subjects.points(snap, ref) == []
        other = subjects.points(snap, world.refs["crm-2"])
        assert subjects.reveal_point(snap, other[0]) in ("ben@example.org", "+493087654321")


def test_a_process_that_died_after_the_key_was_destroyed_is_made_up_for(world: World) -> None:
    ref = world.refs["crm-1"]
    ordered = world.order("crm-1")
    world.runtime.vault.shred("acme", ref, OPERATIONAL, world.runtime.clock())
    probe_erasures.run(world.runtime)
    with world.runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.get_by_ref(snap, ref).erased
    done = world.run(ordered)
    assert done.status == PARTLY_COMPLETE
    assert {step.system for step in done.steps if step.outcome == "erased"} == {OWN}


def test_the_table_of_erasures_holds_no_identifier_in_clear(world: World) -> None:
    world.order("crm-1")
    with world.runtime.snapshot("acme", ACTOR) as snap:
        row = snap.connection.execute(sa.select(erasure)).mappings().one()
    assert b"anna" not in bytes(row["keys_sealed"])
    assert "crm-1" not in repr({name: value for name, value in row.items() if name != "keys_sealed"})


@pytest.mark.parametrize("undone", [False, True])
def test_a_case_that_a_restore_brought_back_cannot_be_undone(
    world: World, clock: HandClock, undone: bool
) -> None:
    """As a backup from within the undo window shows it: the keys are gone, the case knows nothing of it."""
    ref = world.refs["crm-1"]
    ordered = world.order("crm-1", hours=24)
    world.runtime.vault.shred("acme", ref, OPERATIONAL, clock.now())
    with pytest.raises(ConflictError) as refused, world.runtime.work("acme", ACTOR) as work:
        service.cancel(work, ordered.erasure_id)
    assert refused.value.reason == "too-late"
    if undone:  # by a version that did not know
        with world.runtime.work("acme", ACTOR) as work, work.bookkeeping():
            values = {"status": "cancelled", "completed_at": work.now, "next_at": None}
            store.change(work.connection, "acme", ordered.erasure_id, values)
    with pytest.raises(NotReadyError):
        replay.check_whole(world.runtime, ["acme"])
    assert replay.replay(world.runtime, "acme") == 1
    done = world.run(ordered)
    assert (done.status, done.steps[-1].outcome) == (PARTLY_COMPLETE, "erased"), done.steps
    with pytest.raises(ConflictError), world.runtime.work("acme", ACTOR) as work:
        service.cancel(work, ordered.erasure_id)
