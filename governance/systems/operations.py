"""Asking something of a system, once per operation id: the one door for erasure, rights and retention.

`run` opens its own units of work and holds none open while the far side works. Killed at any line, the same
call is made again under the same id: what was finished is answered from what was kept; what was not is done
again by the connector, which finds the work done or does it.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from governance.errors import ConflictError, InvalidError
from governance.events import Actor
from governance.systems import abroad, service
from governance.systems import operation_store as store
from governance.systems.connector import Connector, Context
from governance.systems.documents import write_step
from governance.systems.model import (
    COLLECT,
    CORRECT,
    COUNT,
    DISPOSE,
    DONE,
    ERASE,
    LOOK,
    RELEASE,
    RESTRICT,
    VERBS,
    WAITING,
    Change,
    Disposal,
    ErasurePlan,
    Outcome,
    Received,
    StepOutcome,
    SubjectKeys,
    failed,
)
from governance.systems.operation_store import Record
from governance.systems.settling import STARTED, kept_answer, settle
from governance.work import Opener, Snapshot, Work

_ID = re.compile(r"[!-~]{1,200}")


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
            kept = kept_answer(work, record)
            if kept is not None:
                return kept
        connector, context = service.connect(
            work, asked.system_id, asked.operation_id, asked.keys.subject_ref
        )
        no = abroad.refusal(work, service.find(work, asked.system_id), asked.verb, asked.keys.subject_ref)
    remember = _rememberer(opener, actor, tenant_id, asked.operation_id)
    context = replace(context, remember=remember, attempts=record.attempts)
    outcome = _ask(connector, context, asked, record) if no is None else failed(no, transient=True)
    with opener.work(tenant_id, actor) as work:
        return settle(work, asked.operation_id, outcome)


def standing(snap: Snapshot, operation_id: str) -> Outcome | None:
    """How an operation stands, without asking anybody; None if it never began."""
    record = store.find(snap.connection, snap.tenant_id, operation_id)
    if record is None:
        return None
    return kept_answer(snap, record) or Outcome(
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
    return settle(work, operation_id, outcome)


def finish_reported(
    work: Work, system_id: str, received: Received, outcome: Outcome, *, within: str = ""
) -> bool:
    """The same by the far side's reference; False if no operation of this system has it.

    `within`: how the operation's id must begin.
    """
    reference = received.reference
    record = store.by_reference(work.connection, work.tenant_id, system_id, reference)
    if record is None or not record.operation_id.startswith(within):
        return False
    if record.status == WAITING:
        if record.verb == COLLECT and received.results_elsewhere:
            outcome = Outcome(WAITING, outcome.because, reference=reference, check_after=work.now)
        settle(work, record.operation_id, outcome)
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


def _rememberer(opener: Opener, actor: Actor, tenant_id: str, operation_id: str) -> Any:
    def remember(steps: Sequence[StepOutcome]) -> None:
        with opener.work(tenant_id, actor) as work, work.bookkeeping():
            values = {"remembered": [write_step(each) for each in steps]}
            store.change(work.connection, work.tenant_id, operation_id, work.now, values)

    return remember
