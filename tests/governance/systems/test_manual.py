"""Systems that only people reach: a task with an owner, sealed instructions, and evidence of it."""

import json

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.systems import operations, task_reports, tasks
from governance.systems import service as systems
from governance.systems.model import Change, ErasurePlan, Outcome
from governance.systems.operations import Operation
from tests.conftest import ACTOR
from tests.fixtures.crm import ANNA

EVIDENCE = {"text": "Shredded both folders; Canary Anna was in drawer 7."}
STEPS = [{"data_class": "support_cases", "outcome": "erased", "rows": {"folders": 2}}]


@pytest.fixture
def registered(any_runtime: Runtime) -> Runtime:
    config = {"owner": "staff-7", "days": 10, "instructions": "Archive room, key at the desk."}
    body = {"kind": "manual", "config": config, "data_classes": ["support_cases"]}
    with any_runtime.work("acme", ACTOR) as work:
        systems.put(work, "paper", body, None)
    return any_runtime


def ask(runtime: Runtime, verb: str = "erase", id: str = "op-1", changes: tuple[Change, ...] = ()) -> Outcome:
    plan = ErasurePlan.delete(["support_cases", "financial"]) if verb == "erase" else None
    return operations.run(runtime, ACTOR, "acme", Operation(id, "paper", verb, ANNA, plan, changes))


def only_task(runtime: Runtime) -> tasks.Opened:
    with runtime.snapshot("acme", ACTOR) as snap:
        (task,) = tasks.page(snap, state="open", after="", limit=10)
        return tasks.get(snap, task.task_id)


def test_an_order_becomes_one_task_and_ends_with_evidence(registered: Runtime) -> None:
    assert ask(registered).status == "waiting"
    assert ask(registered).status == "waiting"  # asked again, still one task
    opened = only_task(registered)
    assert (opened.task.owner, opened.task.verb) == ("staff-7", "erase")
    assert opened.instructions["subject"]["email"] == ["anna@example.org"]
    assert opened.instructions["plan"] == {"support_cases": {"disposition": "delete"}}
    assert "anna@" not in repr(opened)
    task_id = opened.task.task_id
    with registered.work("acme", ACTOR) as work:
        with pytest.raises(InvalidError):
            task_reports.done(work, task_id, steps=STEPS, evidence={})
        with pytest.raises(InvalidError) as refused:
            task_reports.done(work, task_id, steps=[], evidence=EVIDENCE)
        assert "support_cases" in str(refused.value.fields)
        work.record("test.began")  # so that the unit of work has something to commit
    with registered.work("acme", ACTOR) as work:
        task, _ = task_reports.done(work, task_id, steps=STEPS, evidence=EVIDENCE)
        assert (task.state, task.done_by) == ("done", "client_test")
    with registered.work("acme", ACTOR) as work, pytest.raises(ConflictError):
        task_reports.done(work, task_id, steps=STEPS, evidence=EVIDENCE)
    outcome = ask(registered)
    assert outcome.status == "done"
    assert [(each.outcome, dict(each.rows)) for each in outcome.steps] == [("erased", {"folders": 2})]
    with registered.snapshot("acme", ACTOR) as snap:
        assert tasks.get(snap, task_id).evidence == EVIDENCE
        rows = snap.connection.execute(sa.text("SELECT * FROM system_task")).all()
        leaves = snap.connection.execute(sa.text("SELECT * FROM ledger_entry")).all()
        for secret in (b"Canary", b"anna@example.org"):
            assert (
                secret
                not in repr(
                    [[bytes(v) if isinstance(v, memoryview) else v for v in r] for r in rows]
                ).encode()
            )
            assert secret not in repr(leaves).encode()


def test_a_task_changes_hands_and_unknown_ones_are_not_there(registered: Runtime) -> None:
    ask(registered, "restrict")
    task_id = only_task(registered).task.task_id
    with registered.work("acme", ACTOR) as work:
        assert tasks.assign(work, task_id, "staff-8").owner == "staff-8"
        for unknown in ("tsk_x", "ä", "\0"):
            with pytest.raises(NotFoundError):
                tasks.get(work, unknown)


def test_what_was_found_by_hand_is_handed_over(registered: Runtime) -> None:
    ask(registered, "collect")
    task_id = only_task(registered).task.task_id
    item = {"data_class": "support_cases", "table": "folder 3", "row": "1", "values": {"letter": "Dear Anna"}}
    with registered.work("acme", ACTOR) as work:
        task_reports.done(work, task_id, steps=[], items=[item], evidence=EVIDENCE)
    assert [dict(each.values) for each in ask(registered, "collect").items] == [{"letter": "Dear Anna"}]


def test_a_correction_says_what_to_write(registered: Runtime) -> None:
    ask(registered, "correct", changes=(Change("family_name", "Neu", "Alt"),))
    said = only_task(registered).instructions["changes"]
    assert said == [{"name": "family_name", "value": "Neu", "was": "Alt"}]
    assert json.dumps(said)


def test_an_id_asks_one_question_only(registered: Runtime) -> None:
    ask(registered)
    with pytest.raises(ConflictError):
        ask(registered, "collect")
    with pytest.raises(NotFoundError):
        operations.run(registered, ACTOR, "acme", Operation("op-9", "nowhere", "collect", ANNA))


def test_a_search_that_found_nothing_is_finished_all_the_same(registered: Runtime) -> None:
    """Else the task would be asked again for ever, and the request that asked would never be answered."""
    assert ask(registered, "collect").status == "waiting"
    with registered.work("acme", ACTOR) as work:
        task_reports.done(work, only_task(registered).task.task_id, steps=[], evidence=EVIDENCE)
    for _ in range(2):
        outcome = ask(registered, "collect")
        assert (outcome.status, outcome.items) == ("done", ())
    with registered.snapshot("acme", ACTOR) as snap:
        assert tasks.page(snap, state="open", after="", limit=10) == []
