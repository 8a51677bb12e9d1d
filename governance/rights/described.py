"""What has to be said of a person's data besides the data: why they are used, for whom, how long (Art. 15).

Of the purposes those are named that apply to this very person: consents given, relationships that exist,
interests nobody objected to. The term of a row counts from its own dates.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from governance.consent import service as consent
from governance.consent.kinds import PROFILING
from governance.consent.views import ConsentState
from governance.purposes import service as purposes
from governance.purposes.model import ACTIVE, OPT_IN, Purpose
from governance.retention import service as retention
from governance.retention.model import RetentionVerdict
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.systems.model import Item, System
from governance.transfers import flows
from governance.transfers.gate import FlowAnswer
from governance.work import Snapshot

ACCOUNTABILITY = "accountability"
OWN_CLASSES = frozenset(
    {"consent_proofs", "suppressions", "messages", "decisions", "rights_requests", "access_logs",
     "import_errors", "captures", "telemarketing_records"}
)  # fmt: skip
"""Classes that this service makes itself, to do what the law demands and to show it (Art. 5(2))."""

_CLIENTS = ("client", "active_service")
_NOES = ("withdrawn", "refused")


class Describer:
    """Answers for one package; remembers what it read of people, purposes, systems and flows."""

    def __init__(
        self, snap: Snapshot, systems: Sequence[System], items: Mapping[str, Sequence[Item]]
    ) -> None:
        self._snap = snap
        self._systems = systems
        self._gave = {name: {each.data_class for each in found} for name, found in items.items()}
        self.purposes = [each for each in purposes.every(snap) if each.state == ACTIVE]
        self.flows: list[FlowAnswer] = flows.listed(snap, limit=500)
        self._people: dict[str, tuple[Subject, ConsentState]] = {}
        self._verdicts: dict[tuple[Any, ...], RetentionVerdict] = {}

    def source(self, ref: str) -> str:
        """How a person came to be known: a code of `subjects.model.ACQUIRED`."""
        return self._person(ref)[0].acquired

    def purposes_of(self, ref: str, data_class: str, named: Iterable[str] = ()) -> list[dict[str, str]]:
        """The purposes that a class of this person's data serves; `named`: those that its rows name."""
        wanted = set(named)
        found = [
            self._told(ref, each)
            for each in self.purposes
            if (data_class in each.data_classes and self.applies(ref, each)) or each.purpose_id in wanted
        ]
        if data_class in OWN_CLASSES:
            found.append({"id": ACCOUNTABILITY, "title": "", "lawful_basis": "legal_obligation"})
        return found

    def applies(self, ref: str, purpose: Purpose) -> bool:
        """Whether a purpose applies to a person now: on its basis, and with nothing in its way."""
        person, state = self._person(ref)
        basis = self._basis(person, purpose)
        if person.restricted and basis not in ("consent", "legal_obligation"):
            return False  # Art. 18(2): stored, and used with consent or for claims only
        said = {each.status for each in state.consents if each.purpose == purpose.purpose_id}
        if basis == "consent" or purpose.permission == OPT_IN:
            return "granted" in said and not self._objected(purpose, state)
        if basis == "contract":
            return self._is_client(person)
        if basis in ("legal_obligation", "vital_interests"):
            return True
        withdrawn = bool(said) and said <= set(_NOES)
        return not withdrawn and not self._objected(purpose, state)

    def kept(
        self,
        ref: str,
        data_class: str,
        *,
        at: datetime | None,
        closed_at: datetime | None = None,
        system: str | None = None,
        record: str | None = None,
    ) -> dict[str, Any]:
        """Until when a row is kept, and why: `kept_until`, `because`, `counts_from_entry`.

        Without a date of its own the day is told only if it is the same for any.
        """
        if at is None and (found := self._verdict(ref, data_class, None, None, system, record)) is not None:
            now = self._verdict(ref, data_class, self._snap.now, None, system, record)
            first = self._verdict(ref, data_class, self._person(ref)[0].created_at, None, system, record)
            if now.until == first.until:
                return _document(found if found.until == now.until else now)
            return _document(now) | {"kept_until": None, "counts_from_entry": True}
        return _document(self._verdict(ref, data_class, at, closed_at, system, record))

    def recipients(self, data_class: str) -> list[dict[str, Any]]:
        """Who has data of a class: systems that hold or gave it, and whoever a declared flow takes it to."""
        found = [
            {"system": each.system_id, "processor": each.processor, "country": each.country}
            for each in self._systems
            if data_class in each.data_classes or data_class in self._gave.get(each.system_id, ())
        ]
        known = {each["system"] for each in found}
        return found + [
            {"system": None, "processor": each.flow.recipient, "country": each.flow.destination}
            for each in self.flows
            if data_class in each.flow.data_classes and each.flow.recipient not in known
        ]

    def purpose(self, ref: str, purpose_id: str) -> dict[str, str] | None:
        """One purpose by its id, with the basis for a person."""
        found = next((each for each in self.purposes if each.purpose_id == purpose_id), None)
        return None if found is None else self._told(ref, found)

    def _told(self, ref: str, purpose: Purpose) -> dict[str, str]:
        basis = self._basis(self._person(ref)[0], purpose)
        return {"id": purpose.purpose_id, "title": purpose.title, "lawful_basis": basis}

    def _person(self, ref: str) -> tuple[Subject, ConsentState]:
        if ref not in self._people:
            said = consent.state(self._snap, ref)
            self._people[ref] = subjects.get_by_ref(self._snap, ref), said
        return self._people[ref]

    def _basis(self, person: Subject, purpose: Purpose) -> str:
        return purpose.basis_for(country=person.country, stage=person.stage_relationship)

    def _is_client(self, person: Subject) -> bool:
        running = {person.contract_state, person.subscription_state} - {"none", "ended"}
        return person.stage_relationship in _CLIENTS or bool(running)

    def _objected(self, purpose: Purpose, state: ConsentState) -> bool:
        classes = purposes.message_classes(self._snap.resource(Settings).policies_dir)
        commercial = any(classes[each].commercial for each in purpose.message_classes if each in classes)
        for each in state.objections:
            if each.kind == PROFILING:
                if purpose.profiling:
                    return True
            elif each.purpose == purpose.purpose_id or (
                each.purpose is None and commercial and each.channel is None
            ):
                return True
        return False

    def _verdict(
        self,
        ref: str,
        data_class: str,
        at: datetime | None,
        closed_at: datetime | None,
        system: str | None,
        record: str | None,
    ) -> RetentionVerdict:
        hour = None if at is None else at.replace(minute=0, second=0, microsecond=0)
        key = (ref, data_class, hour, closed_at, system, record)
        if key not in self._verdicts:
            self._verdicts[key] = retention.verdict(
                self._snap,
                ref,
                data_class,
                system=system,
                record=record,
                created_at=at,
                closed_at=closed_at,
                occasion=retention.SCHEDULE,
            )
        return self._verdicts[key]


def _document(said: RetentionVerdict) -> dict[str, Any]:
    until = None if said.until is None else said.until.isoformat()
    return {"kept_until": until, "because": said.because, "counts_from_entry": False}
