"""One question goes to the gate that answers it; several go one after the other, in one snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.access import standing
from governance.communications.model import ACTION as SEND
from governance.decisions.record import DecisionRecord
from governance.errors import ConflictError, GovernanceError, InvalidError, NotFoundError
from governance.evaluation import resources
from governance.evaluation.actions import ACTIONS, DATA_SUBJECT
from governance.evaluation.desk import Desk
from governance.evaluation.model import (
    DENY_ON_FIRST_DENY,
    PERMIT_ON_FIRST_PERMIT,
    EvaluationBatch,
    EvaluationRequest,
)
from governance.work import Snapshot

__all__ = ["DATA_SUBJECT", "Refusal", "answer", "evaluate", "evaluate_all"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A question of a batch whose content makes no sense: answered with `decision: false` in its place."""

    status: int
    message: str
    fields: Mapping[str, list[str]]

    @property
    def allowed(self) -> bool:
        """Never."""
        return False

    def answer(self) -> dict[str, Any]:
        """The answer, with the error in the context as AuthZEN has it."""
        error: dict[str, Any] = {"status": self.status, "message": self.message}
        if self.fields:
            error["errors"] = dict(self.fields)
        return {"decision": False, "context": {"error": error}}


def answer(desk: Desk, request: EvaluationRequest) -> DecisionRecord:
    """Answer one question at a desk.

    Whoever has left is told no by every gate. Raises InvalidError if its content makes no sense to the gate
    it belongs to.
    """
    gate = ACTIONS.get(request.action) if request.resource.type == DATA_SUBJECT else None
    if gate is not None:
        record = gate.evaluate(desk, request)
    else:
        record = resources.evaluate(desk.snap, desk.ground, request, desk.asked_for(request), desk.said)
    bar = desk.bar(request.subject)
    return record if bar is None else standing.refused(record, bar, desk.ground.policy)


def evaluate(snap: Snapshot, request: EvaluationRequest) -> DecisionRecord:
    """Answer one question. Logging the record before it is answered is the caller's task."""
    return answer(Desk(snap), request)


def evaluate_all(snap: Snapshot, batch: EvaluationBatch) -> list[DecisionRecord | Refusal]:
    """Answer several questions in one snapshot, in their order, until the batch's semantic says to stop.

    A batch that is a single question raises what `evaluate` raises.
    """
    desk = Desk(snap)
    if batch.single:
        return [answer(desk, batch.requests[0])]
    desk.expect(each for each in batch.requests if each.resource.type == DATA_SUBJECT and each.action == SEND)
    answers: list[DecisionRecord | Refusal] = []
    for request in batch.requests:
        given = _answer(desk, request)
        answers.append(given)
        if batch.semantic == DENY_ON_FIRST_DENY and not given.allowed:
            break
        if batch.semantic == PERMIT_ON_FIRST_PERMIT and given.allowed:
            break
    return answers


def _answer(desk: Desk, request: EvaluationRequest) -> DecisionRecord | Refusal:
    try:
        return answer(desk, request)
    except GovernanceError as error:
        status = 404 if isinstance(error, NotFoundError) else 409 if isinstance(error, ConflictError) else 400
        return Refusal(status, error.message, error.fields if isinstance(error, InvalidError) else {})
