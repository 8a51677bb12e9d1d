from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.decisions import service as decisions
from governance.decisions import store
from governance.decisions.log import DecisionLog
from governance.decisions.model import Verdict
from governance.decisions.record import DecisionRecord
from governance.decisions.store import decision_batch, decision_log_metadata, logged_decision
from governance.errors import NotFoundError, NotReadyError
from governance.ledger import service as ledger
from governance.work import Work
from tests.conftest import ACTOR, START, HandClock, settings_in
from tests.postgres import Server

YES = Verdict(True, (), (), ("matrix.promotional",))
NO = Verdict(False, (), (), ())


def record(number: int, *, subject: str | None = "sub_1", allowed: bool = True) -> DecisionRecord:
    return DecisionRecord(
        id=f"dec_{number:032x}",
        action="communication.send",
        subject_ref=subject,
        verdict=YES if allowed else NO,
        policy="sha256:00",
        ledger_position=number,
        evaluated_at=START + timedelta(seconds=number),
        caller_ref="client_1",
        question={"purpose": "marketing"},
        facts=({"consent.status": "none", "consent.age": START},),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DecisionLog]:
    """A decision log on each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/log.db"
        cleanup = None
    else:
        running: Server = request.getfixturevalue("postgres")
        name = running.create()
        url, cleanup = running.url(name), (running, name)
        url = url.replace("postgresql://", "postgresql+psycopg://")
    found = DecisionLog(url)
    with found.engine.begin() as connection:
        decision_log_metadata.create_all(connection)
    yield found
    found.close()
    if cleanup is not None:
        cleanup[0].drop(cleanup[1])


def seal(runtime: Runtime, log: DecisionLog, *, most: int = 10_000) -> str | None:
    with runtime.work("acme", ACTOR) as work:
        return log.seal_batch(work, most=most)


def told(runtime: Runtime) -> dict[str, tuple[int, str]]:
    with runtime.snapshot("acme", ACTOR) as snap:
        return store.seals(snap.connection, "acme")


def test_what_was_logged_is_found_again(log: DecisionLog) -> None:
    log.append("acme", [record(1), record(2, allowed=False)])
    log.append("acme", [record(3, subject=None)])
    log.append("acme", [])
    found = log.find("acme", record(2).id)
    assert found is not None
    assert (found.allowed, found.ledger_position, found.at) == (False, 2, START + timedelta(seconds=2))
    assert found.document()["facts"] == [
        {"consent.status": "none", "consent.age": "2026-11-21T10:00:00.000000Z"}
    ]
    assert log.find("other", record(2).id) is None
    assert log.find("acme", "dec_none") is None


def test_the_log_is_listed_newest_first_and_by_what_is_asked(log: DecisionLog) -> None:
    log.append("acme", [record(n, subject=f"sub_{n % 2}", allowed=n % 3 == 0) for n in range(1, 10)])
    log.append("other", [record(50)])

    def numbers(**named: object) -> list[int]:
        return [found.ledger_position for found in log.page("acme", **named)]  # type: ignore[arg-type]

    assert numbers() == list(range(9, 0, -1))
    assert numbers(subject_ref="sub_1") == [9, 7, 5, 3, 1]
    assert numbers(allowed=True) == [9, 6, 3]
    assert numbers(since=START + timedelta(seconds=3), until=START + timedelta(seconds=6)) == [5, 4, 3]
    assert numbers(after=record(4).id, limit=2) == [3, 2]


def test_a_batch_is_told_to_the_ledger_and_only_once(log: DecisionLog, runtime: Runtime) -> None:
    log.append("acme", [record(n) for n in range(5)])
    first = seal(runtime, log, most=3)
    second = seal(runtime, log)
    assert first is not None
    assert second is not None
    assert first != second
    assert seal(runtime, log) is None
    with runtime.snapshot("acme", ACTOR) as snap:
        entries = ledger.entries(snap.connection, "acme", limit=500)
    sealed = [entry.facts for entry in entries if entry.kind == "decisions.sealed"]
    assert [(each["batch"], each["count"]) for each in sealed] == [(first, 3), (second, 2)]
    assert log.verify("acme", told(runtime)) == []


def test_a_batch_whose_event_was_lost_is_told_again_under_its_own_id(
    log: DecisionLog, runtime: Runtime
) -> None:
    log.append("acme", [record(1)])

    def fails(work: Work) -> None:
        log.seal_batch(work)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), runtime.work("acme", ACTOR) as work:
        fails(work)
    assert told(runtime) == {}
    batch = seal(runtime, log)
    assert list(told(runtime)) == [batch]
    assert seal(runtime, log) is None
    with log.engine.connect() as connection:
        assert list(connection.execute(sa.select(decision_batch.c.recorded)).scalars()) == [True]


def test_every_change_of_a_logged_row_is_found(log: DecisionLog, runtime: Runtime) -> None:
    log.append("acme", [record(n) for n in range(3)])
    seal(runtime, log)
    seals = told(runtime)
    assert log.verify("acme", seals) == []
    row = logged_decision.c.decision_id == record(1).id
    changes: list[dict[str, object]] = [
        {"allowed": False},
        {"codes": "objection"},
        {"body": "{}"},
        {"subject_ref": None},
        {"caller_ref": "client_2"},
        {"digest": "sha256:01"},
        {"position": 7},
        {"at": START},
        {"action": "data.read"},
    ]
    for change in changes:
        name = next(iter(change))
        with log.engine.begin() as connection:
            before = connection.execute(sa.select(logged_decision.c[name]).where(row)).scalar_one()
            connection.execute(sa.update(logged_decision).where(row).values(change))
        assert log.verify("acme", seals), name
        with log.engine.begin() as connection:
            connection.execute(sa.update(logged_decision).where(row).values({name: before}))
    with log.engine.begin() as connection:
        connection.execute(sa.delete(logged_decision).where(row))
    assert log.verify("acme", seals)


def test_erasing_empties_the_rows_and_leaves_the_batch_sound(log: DecisionLog, runtime: Runtime) -> None:
    log.append("acme", [record(1), record(2, subject="sub_2")])
    seal(runtime, log)
    assert log.erase("acme", "sub_1") == 1
    found = log.find("acme", record(1).id)
    assert found is not None
    assert found.body is None
    assert found.subject_ref is None
    assert found.document()["erased"] is True
    assert log.verify("acme", told(runtime)) == []
    with log.engine.connect() as connection:
        row = connection.execute(
            sa.select(logged_decision).where(logged_decision.c.decision_id == record(1).id)
        ).one()
    assert row.salt is None


def test_a_salt_is_fresh_for_every_row() -> None:
    rows = [DecisionLog.row_of("acme", replace(record(1))) for _ in range(2)]
    assert rows[0]["salt"] != rows[1]["salt"]
    assert rows[0]["commitment"] != rows[1]["commitment"]


def test_a_log_without_tables_stops_the_start(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with pytest.raises(NotReadyError):
        DecisionLog.open(settings)


def test_a_log_survives_its_process(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    DecisionLog.create(settings)
    first = DecisionLog.open(settings)
    first.append("acme", [record(1)])
    second = DecisionLog.open(settings)
    assert second.find("acme", record(1).id) is not None
    first.close()
    second.close()


def test_acts_and_checks_are_found_and_listed_together(any_runtime: Runtime, clock: HandClock) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        decisions.keep(work, record(2))
        work.record("test.done")
    any_runtime.decision_log.append("acme", [record(1), record(3)])
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert decisions.find(snap, record(2).id).act
        assert not decisions.find(snap, record(3).id).act
        with pytest.raises(NotFoundError):
            decisions.find(snap, "dec_none")
        page, after = decisions.page(snap, subject_ref="sub_1", limit=2)
        rest, end = decisions.page(snap, subject_ref="sub_1", after=after, limit=2)
    assert [found.ledger_position for found in page + rest] == [3, 2, 1]
    assert end is None
