"""`context.time` moves the clock of every gate and never back; what cannot be read is refused by each."""

from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.errors import InvalidError
from governance.evaluation import service as evaluation
from governance.evaluation.actions import ACTIONS
from governance.evaluation.model import read_request
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange
from tests.conftest import HandClock

PROPERTIES: dict[str, dict[str, Any]] = {
    "communication.send": {
        "channel": "email",
        "message_class": "transactional",
        "purpose": "contract",
    },
    "lifecycle.transition": {"model": "relationship", "to": "contact"},
    "data.transfer": {"destination": "US"},
    "data.read": {"fields": ["email"], "purpose": "marketing"},
    "data.use": {"purpose": "marketing"},
    "data.erase": {"data_class": "invoices"},
}


def ask(runtime: Runtime, action: str, **context: Any) -> bool:
    body = {
        "subject": {"type": "component", "id": "crm"},
        "action": {"name": action, "properties": PROPERTIES[action]},
        "resource": {"type": "data_subject", "id": "hans"},
        "context": context,
    }
    with runtime.snapshot("acme", COMMAND_LINE) as snap:
        record = evaluation.evaluate(snap, read_request(body))
        assert record.question.get("time") is not None or "time" not in context
        return record.allowed


@pytest.fixture
def hans(runtime: Runtime) -> Runtime:
    with runtime.work("acme", COMMAND_LINE) as work:
        subjects.put(work, "hans", SubjectChange(country="DE"))
    return runtime


def test_every_gate_reads_the_context_and_refuses_what_it_cannot_read(
    hans: Runtime, clock: HandClock
) -> None:
    assert set(PROPERTIES) == set(ACTIONS), "a gate that is new is asked here as well"
    for action in ACTIONS:
        ask(hans, action, time=(clock() + timedelta(days=1)).isoformat())
        for context, member in (
            ({"time": "nonsense"}, "context.time"),
            ({"time": "2026-11-21T10:00:00"}, "context.time"),
            ({"time": 5}, "context.time"),
            ({"as_of": 5}, "context.as_of"),
        ):
            with pytest.raises(InvalidError) as refused:
                ask(hans, action, **context)
            assert member in refused.value.fields, (action, context)


def test_what_must_be_kept_may_go_when_its_term_is_over(hans: Runtime, clock: HandClock) -> None:
    assert ask(hans, "data.erase") is False, "an invoice of today is kept for years"
    assert ask(hans, "data.erase", time=(clock() + timedelta(days=60 * 366)).isoformat()) is True
    assert ask(hans, "data.erase", time=(clock() - timedelta(days=60 * 366)).isoformat()) is False
