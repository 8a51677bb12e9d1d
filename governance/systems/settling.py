"""How an operation ends: what a system answered is kept, told to the ledger, and answered again when asked.

What was collected is sealed under the person's `evidence` key until it was used.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from governance.errors import NotFoundError
from governance.events import Fact
from governance.systems import operation_store as store
from governance.systems import tasks
from governance.systems.documents import read_item, read_outcome, read_steps, write_item, write_outcome
from governance.systems.model import (
    COLLECT,
    COUNT,
    DISPOSE,
    DONE,
    ERASE,
    FAILED,
    UNSUPPORTED,
    WAITING,
    Item,
    Outcome,
    failed,
)
from governance.systems.operation_store import Record
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

STARTED = "started"
_READS = (COLLECT, COUNT)


def settle(work: Work, operation_id: str, outcome: Outcome) -> Outcome:
    """Keep an outcome, record what was done, make the task if there is one.

    Raises NotFoundError if there is no such operation.
    """
    record = store.find(work.connection, work.tenant_id, operation_id, lock=True)
    if record is None:
        raise NotFoundError("There is no such operation.")
    if record.status == DONE and record.verb not in _READS:
        return kept_answer(work, record) or outcome  # another process was faster
    if not outcome.changed and record.remembered:
        # The work was done by an attempt that died before it could say so: these are its counts.
        outcome = replace(outcome, steps=read_steps(record.remembered))
    outcome = _complete(record, outcome)
    values: dict[str, Any] = {
        "status": outcome.status,
        "outcome": write_outcome(outcome),
        "reference": outcome.reference or record.reference,
        "check_after": outcome.check_after,
    }
    if outcome.status == DONE and record.verb == COLLECT and record.status == WAITING:  # also nothing is kept
        values["items_sealed"] = _sealed(work, record, outcome.items)
    with work.bookkeeping():
        store.change(work.connection, work.tenant_id, operation_id, work.now, values)
    if outcome.task is not None:
        tasks.make(work, record, outcome.task)
    elif record.status == WAITING != outcome.status and not outcome.transient:
        tasks.drop_of(work, operation_id)
    if record.verb not in _READS and outcome.status in _KINDS and outcome.status != record.status:
        work.record(
            f"system.{_KINDS[outcome.status]}",
            subject_ref=record.subject_ref or None,
            facts=_facts(record, outcome),
        )
    return outcome


def _complete(record: Record, outcome: Outcome) -> Outcome:
    """An erasure is finished only when it says what became of every class that it was asked about.

    One that this kind of system cannot be asked is failed: data is there, and somebody must see to it.
    """
    if record.verb in (ERASE, DISPOSE) and outcome.status == UNSUPPORTED:
        return failed(outcome.because)
    said = {each.data_class for each in outcome.steps}
    missing = sorted({each["data_class"] for each in record.remembered} - said)
    if record.verb not in (ERASE, DISPOSE) or outcome.status != DONE or not missing:
        return outcome
    return failed(f"The system does not say what became of {', '.join(missing)}.")


_KINDS = {DONE: "answered", WAITING: "asked", FAILED: "failed"}
"""The ledger's word for each status: a status that did not change is not told again."""


def _facts(record: Record, outcome: Outcome) -> dict[str, Fact]:
    return {
        "operation": record.operation_id,
        "system": record.system_id,
        "verb": record.verb,
        "rows": outcome.rows,
        "outcomes": sorted({each.outcome for each in outcome.steps}),
    }


def kept_answer(snap: Snapshot, record: Record) -> Outcome | None:
    """What was answered; None for what was collected and not kept, and for what has not ended."""
    if record.outcome is None or record.status == STARTED:
        return None
    if record.verb == COLLECT and record.status == DONE:
        if record.items_sealed is None:
            return None
        place = _place(record.operation_id)
        plain = snap.resource(Vault).reveal(
            snap.tenant_id, record.subject_ref, EVIDENCE, place, record.items_sealed
        )
        return read_outcome(record.outcome, [read_item(each) for each in json.loads(plain)])
    kept = read_outcome(record.outcome)
    return replace(kept, reference=record.reference, check_after=record.check_after)


def _sealed(work: Work, record: Record, items: Sequence[Item]) -> bytes:
    plain = json.dumps([write_item(each) for each in items]).encode()
    place = _place(record.operation_id)
    return work.resource(Vault).seal(work.tenant_id, record.subject_ref, EVIDENCE, place, plain)


def _place(operation_id: str) -> Place:
    return Place("system_operation", "items_sealed", operation_id)
