"""Asking something of a system, once per operation id: the one door for erasure, rights and retention.

`run` opens its own units of work and holds none open while the far side works. Killed at any line, the same
call is made again under the same id: what was finished is answered from what was kept; what was not is done
again by the connector, which finds the work done or does it.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.events import Actor, Fact
from governance.systems import abroad, service, tasks
from governance.systems import operation_store as store
from governance.systems.connector import Connector, Context
from governance.systems.documents import (
    read_item,
    read_outcome,
    read_steps,
    write_item,
    write_outcome,
    write_step,
)
from governance.systems.model import (
    COLLECT,
    CORRECT,
    COUNT,
    DISPOSE,
    DONE,
    ERASE,
    FAILED,
    LOOK,
    RELEASE,
    RESTRICT,
    UNSUPPORTED,
    VERBS,
    WAITING,
    Change,
    Disposal,
    ErasurePlan,
    Item,
    Outcome,
    StepOutcome,
    SubjectKeys,
    failed,
)
from governance.systems.operation_store import Record
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

STARTED = "started"
_READS = (COLLECT, COUNT)
_ID = re.compile(r"[!-~]{1,200}")


class Opener(Protocol):
    """What an operation needs of the runtime."""

    def work(self, tenant_id: str, actor: Actor) -> AbstractContextManager[Work]:
        """Open a unit of work."""

    def snapshot(self, tenant_id: str, actor: Actor) -> AbstractContextManager[Snapshot]:
        """Open a consistent view."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked of a system. `operation_id` (1 to 200 characters) names it for ever.

    `plan` belongs to erase, `changes` to correct, `disposal` to dispose (whose `keys` name nobody: records
    may be many people's).
    """

    operation_id: str
    system_id: str
    verb: str
    keys: SubjectKeys
    plan: ErasurePlan | None = None
    changes: tuple[Change, ...] = field(default=(), repr=False)
    disposal: Disposal | None = None

    def __post_init__(self) -> None:
        """Refuse what no system can be asked."""
        if self.verb not in VERBS:
            raise InvalidError(f"A system can be asked to {', '.join(VERBS)}.")
        given = {
            ERASE: self.plan is not None,
            CORRECT: bool(self.changes),
            DISPOSE: self.disposal is not None,
        }
        if any(has != (self.verb == verb) for verb, has in given.items()):
            raise InvalidError("An erasure has a plan, a correction changes, a disposal records.")
        if not _ID.fullmatch(self.operation_id):
            raise InvalidError(
                "An operation's id has 1 to 200 printable characters of ASCII, without spaces."
            )

    def digest(self) -> str:
        """What tells this question from another under the same id; of persons only the reference is in it."""
        plan = None if self.plan is None else self.plan.document()
        names = [each.name for each in self.changes]
        records = None if self.disposal is None else self.disposal.document()
        asked = [self.system_id, self.verb, self.keys.subject_ref, plan, names, records]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def run(opener: Opener, actor: Actor, tenant_id: str, asked: Operation) -> Outcome:
    """Ask a system, or follow up what it was asked under this id, or answer what it answered.

    Never inside a transaction. Raises NotFoundError if there is no such system, ConflictError if the id was
    used for another question. Whatever else goes wrong is an outcome that `failed`.
    """
    with opener.work(tenant_id, actor) as work, work.bookkeeping():
        record = _begin(work, asked)
        if record.status == DONE and asked.verb != COUNT:  # a count is asked to know how it is now
            kept = _kept(work, record)
            if kept is not None:
                return kept
        connector, context = service.connect(
            work, asked.system_id, asked.operation_id, asked.keys.subject_ref
        )
        no = abroad.refusal(work, service.find(work, asked.system_id), asked.verb, asked.keys.subject_ref)
    context = replace(context, remember=_rememberer(opener, actor, tenant_id, asked.operation_id))
    outcome = _ask(connector, context, asked, record) if no is None else failed(no, transient=True)
    with opener.work(tenant_id, actor) as work:
        return _settle(work, asked.operation_id, outcome)


def standing(snap: Snapshot, operation_id: str) -> Outcome | None:
    """How an operation stands, without asking anybody; None if it never began."""
    record = store.find(snap.connection, snap.tenant_id, operation_id)
    if record is None:
        return None
    return _kept(snap, record) or Outcome(
        WAITING,
        "It was begun and has not ended yet.",
        reference=record.reference,
        check_after=record.check_after,
    )


def due(snap: Snapshot, limit: int = 100) -> list[str]:
    """Ids of waiting operations that want to be followed up now."""
    return store.due(snap.connection, snap.tenant_id, snap.now, limit)


def finish(work: Work, operation_id: str, outcome: Outcome) -> Outcome:
    """End a waiting operation with what somebody or something reported; NotFoundError if there is none."""
    return _settle(work, operation_id, outcome)


def finish_reported(
    work: Work, system_id: str, reference: str, outcome: Outcome, *, within: str = ""
) -> bool:
    """The same by the far side's reference; False if no operation of this system has it.

    `within`: how the operation's id must begin.
    """
    record = store.by_reference(work.connection, work.tenant_id, system_id, reference)
    if record is None or not record.operation_id.startswith(within):
        return False
    if record.status == WAITING:
        _settle(work, record.operation_id, outcome)
    return True


def forget_items(work: Work, operation_id: str) -> None:
    """Drop what an operation collected, once it was used."""
    with work.bookkeeping():
        store.change(work.connection, work.tenant_id, operation_id, work.now, {"items_sealed": None})


def _begin(work: Work, asked: Operation) -> Record:
    new = Record(
        asked.operation_id, asked.system_id, asked.verb, asked.digest(), asked.keys.subject_ref,
        STARTED, [], None, None, None, None, 0,
    )  # fmt: skip
    service.get(work, asked.system_id)
    if not store.begin(work.connection, work.tenant_id, new, work.now):
        found = store.find(work.connection, work.tenant_id, asked.operation_id, lock=True)
        assert found is not None
        if found.asked_sha256 != new.asked_sha256:
            raise ConflictError("This operation's id was used for another question.", reason="id-reused")
        new = found
    values = {"attempts": new.attempts + 1}
    store.change(work.connection, work.tenant_id, asked.operation_id, work.now, values)
    return new


def _ask(connector: Connector, context: Context, asked: Operation, record: Record) -> Outcome:
    try:
        if record.status == WAITING:
            return connector.follow_up(context, asked.verb, record.reference or "")
        if asked.verb == ERASE:
            assert asked.plan is not None
            return connector.erase(context, asked.keys, asked.plan)
        if asked.disposal is not None:
            return connector.dispose(context, asked.disposal)
        if asked.verb == CORRECT:
            return connector.correct(context, asked.keys, asked.changes)
        if asked.verb in (RESTRICT, RELEASE):
            return connector.restrict(context, asked.keys, asked.verb == RESTRICT)
        if asked.verb == LOOK:
            return connector.look(context, asked.keys)
        return (connector.collect if asked.verb == COLLECT else connector.count)(context, asked.keys)
    except Exception as error:  # a connector may be anybody's; what it says may name a person
        kind = type(error).__name__
        return failed(f"The connector of this system failed without saying why ({kind}).", transient=True)


def _settle(work: Work, operation_id: str, outcome: Outcome) -> Outcome:
    """Keep an outcome, record what was done, make the task if there is one."""
    record = store.find(work.connection, work.tenant_id, operation_id, lock=True)
    if record is None:
        raise NotFoundError("There is no such operation.")
    if record.status == DONE and record.verb not in _READS:
        return _kept(work, record) or outcome  # another process was faster
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


def _kept(snap: Snapshot, record: Record) -> Outcome | None:
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


def _rememberer(opener: Opener, actor: Actor, tenant_id: str, operation_id: str) -> Any:
    def remember(steps: Sequence[StepOutcome]) -> None:
        with opener.work(tenant_id, actor) as work, work.bookkeeping():
            values = {"remembered": [write_step(each) for each in steps]}
            store.change(work.connection, work.tenant_id, operation_id, work.now, values)

    return remember
