"""What the questions of one snapshot share: policy, ledger position and gates, read once for all."""

from collections.abc import Iterable

from governance.access import gate as access
from governance.access import standing
from governance.communications import gate as communications
from governance.communications.gate import Ready
from governance.communications.model import read_check
from governance.decisions.ground import Ground, stand
from governance.decisions.model import Reason
from governance.decisions.record import AskedFor
from governance.errors import InvalidError
from governance.evaluation.model import Entity, EvaluationRequest, opaque
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference, check_external_id
from governance.vault.service import Vault
from governance.work import Snapshot


class Desk:
    """Made for one snapshot and never kept longer; `governance.evaluation.actions` answers at it."""

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        self.ground: Ground = stand(snap)
        self.gate = communications.open_gate(snap, self.ground)
        self._access: access.Gate | None = None
        self._bars: dict[tuple[str, str], Reason | None] = {}
        self._read: dict[tuple[int, int], tuple[EvaluationRequest, Ready]] = {}

    @property
    def access(self) -> access.Gate:
        """The access gate; roles and fields are read when the first question about data is asked."""
        if self._access is None:
            self._access = access.open_gate(self.snap, self.ground)
        return self._access

    def expect(self, requests: Iterable[EvaluationRequest]) -> None:
        """Read what many questions of messages need in a few statements; nonsense is left for its turn."""
        questions = []
        for request in requests:
            try:
                external_id = check_external_id(request.resource.id)
                questions.append((self.message(request).request, external_id))
            except InvalidError:
                continue
        self.gate.expect(questions)

    def message(self, request: EvaluationRequest) -> Ready:
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

    def person(self, request: EvaluationRequest) -> str | None:
        """The reference of the person whom a question is about, None if nobody is meant."""
        found = subjects.resolve(self.snap, SubjectReference(id=request.resource.id))
        return None if found is None else found.subject_ref

    def bar(self, asker: Entity) -> Reason | None:
        """Why nothing is answered with yes to this asker; looked up once."""
        who = (asker.type, asker.id)
        if who not in self._bars:
            self._bars[who] = standing.barred(self.snap, self.ground, *who)
        return self._bars[who]

    def asked_for(self, request: EvaluationRequest) -> AskedFor:
        """On whose behalf a question is asked, as it may be logged."""
        return AskedFor(self.said(request.subject.type), self.said(request.subject.id))

    def said(self, text: str) -> str:
        """A caller's word as it may be logged: as it is if it is an opaque code, else a keyed hash of it."""
        code = opaque(text)
        if code is not None:
            return code
        digest = self.snap.resource(Vault).mac(self.snap.tenant_id, "asked-for", text.encode())
        return f"mac:{digest[:12].hex()}"
