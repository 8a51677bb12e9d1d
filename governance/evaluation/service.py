"""One question goes to the gate that answers it; several go one after the other, in one snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.communications import gate as communications
from governance.communications.gate import Ready
from governance.communications.model import ACTION as SEND
from governance.communications.model import read_check
from governance.decisions.ground import Ground, stand
from governance.decisions.record import AskedFor, DecisionRecord
from governance.errors import ConflictError, GovernanceError, InvalidError, NotFoundError
from governance.evaluation import resources
from governance.evaluation.model import (
    DENY_ON_FIRST_DENY,
    PERMIT_ON_FIRST_PERMIT,
    EvaluationBatch,
    EvaluationRequest,
    opaque,
)
from governance.lifecycle import service as lifecycle
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference, check_external_id
from governance.vault.service import Vault
from governance.work import Snapshot

DATA_SUBJECT = "data_subject"
TRANSITION = lifecycle.ACTION


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


class Desk:
    """Answers the questions of one snapshot; policy and ledger position are read once for all of them."""

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        self.ground: Ground = stand(snap)
        self.gate = communications.open_gate(snap, self.ground)
        self._read: dict[tuple[int, int], tuple[EvaluationRequest, Ready]] = {}

    def expect(self, requests: Sequence[EvaluationRequest]) -> None:
        """Read what many questions need in a few statements; what makes no sense is left for its turn."""
        questions = []
        for request in requests:
            if request.resource.type == DATA_SUBJECT and request.action == SEND:
                try:
                    external_id = check_external_id(request.resource.id)
                    questions.append((self._ready(request).request, external_id))
                except InvalidError:
                    continue
        self.gate.expect(questions)

    def _ready(self, request: EvaluationRequest) -> Ready:
        """The question of a message. Questions of a batch often share the very same properties: read once."""
        key = (id(request.action_properties), id(request.context))
        found = self._read.get(key)
        if found is None:
            subject = SubjectReference(id=request.resource.id)
            ready = self.gate.ready(read_check(subject, request.action_properties, request.context))
            # The request is kept with its question: as long as it lives, its members' ids are nobody else's.
            self._read[key] = request, ready
            return ready
        return found[1]

    def evaluate(self, request: EvaluationRequest) -> DecisionRecord:
        """Answer one question.

        Raises InvalidError if its content makes no sense to the gate it belongs to.
        """
        asked_for = AskedFor(self.said(request.subject.type), self.said(request.subject.id))
        if request.resource.type == DATA_SUBJECT and request.action == SEND:
            return self.gate.answer(self._ready(request), request.resource.id, asked_for=asked_for)
        if request.resource.type == DATA_SUBJECT and request.action == TRANSITION:
            return self._transition(request, asked_for)
        return resources.evaluate(self.snap, self.ground, request, asked_for, self.said)

    def _transition(self, request: EvaluationRequest, asked_for: AskedFor) -> DecisionRecord:
        properties = request.action_properties
        fields: dict[str, list[str]] = {}
        model, to = properties.get("model", "relationship"), properties.get("to")
        evidence, because = properties.get("evidence") or {}, properties.get("because")
        for name, value in (("model", model), ("to", to)):
            if not isinstance(value, str):
                fields[name] = ["Give the name as text."]
        if not isinstance(evidence, Mapping) or not all(isinstance(each, str) for each in evidence.values()):
            fields["evidence"] = ["Give an object of references as text."]
        if because is not None and not isinstance(because, str):
            fields["because"] = ["Give the reason as text."]
        if fields:
            raise InvalidError("The transition cannot be read; see the fields.", fields=fields)
        person = subjects.resolve(self.snap, SubjectReference(id=request.resource.id))
        return lifecycle.check(
            self.snap,
            None if person is None else person.subject_ref,
            model=str(model),
            to=str(to),
            evidence=evidence,
            because=because,
            policy=self.ground.policy,
            asked_for=asked_for,
        )

    def said(self, text: str) -> str:
        """A caller's word as it may be logged: as it is if it is an opaque code, else a keyed hash of it."""
        code = opaque(text)
        if code is not None:
            return code
        digest = self.snap.resource(Vault).mac(self.snap.tenant_id, "asked-for", text.encode())
        return f"mac:{digest[:12].hex()}"


def evaluate(snap: Snapshot, request: EvaluationRequest) -> DecisionRecord:
    """Answer one question. Logging the record before it is answered is the caller's task."""
    return Desk(snap).evaluate(request)


def evaluate_all(snap: Snapshot, batch: EvaluationBatch) -> list[DecisionRecord | Refusal]:
    """Answer several questions in one snapshot, in their order, until the batch's semantic says to stop.

    A batch that is a single question raises what `evaluate` raises.
    """
    desk = Desk(snap)
    if batch.single:
        return [desk.evaluate(batch.requests[0])]
    desk.expect(batch.requests)
    answers: list[DecisionRecord | Refusal] = []
    for request in batch.requests:
        answer = _answer(desk, request)
        answers.append(answer)
        if batch.semantic == DENY_ON_FIRST_DENY and not answer.allowed:
            break
        if batch.semantic == PERMIT_ON_FIRST_PERMIT and answer.allowed:
            break
    return answers


def _answer(desk: Desk, request: EvaluationRequest) -> DecisionRecord | Refusal:
    try:
        return desk.evaluate(request)
    except GovernanceError as error:
        status = 404 if isinstance(error, NotFoundError) else 409 if isinstance(error, ConflictError) else 400
        return Refusal(status, error.message, error.fields if isinstance(error, InvalidError) else {})
