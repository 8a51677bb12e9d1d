"""A request with everything that belongs to it, and the one way in which its state is written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.errors import NotFoundError
from governance.events import Event, Fact
from governance.rights import leaving, sealing, store
from governance.rights.clocks import Ask, Clock, Course, Extended, Reading, read
from governance.rights.model import (
    CLOSED_STATES,
    IN_PROGRESS,
    VERIFIED,
    VERIFYING,
    WAITING,
    Identity,
    Match,
    Reopening,
    Request,
    StoredAsk,
    StoredExtension,
)
from governance.rights.regime_files import law
from governance.rights.regimes import Regime, after_appeal
from governance.rights.states import Case, Proof
from governance.settings import Settings
from governance.systems import task_reports
from governance.work import Snapshot, Work


@dataclass(frozen=True, slots=True)
class TakenUp:
    """How a request was opened again last, and the appeal or complaint to whose clock it runs since then."""

    reopening: Reopening
    type: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Dossier:
    """A request and its parts, as read in one snapshot.

    Of one that was opened again: what was asked and extended since, and how its appeal was extended.
    """

    request: Request
    identities: tuple[Identity, ...]
    matches: tuple[Match, ...]
    asks: tuple[StoredAsk, ...]
    extensions: tuple[StoredExtension, ...]
    taken_up: TakenUp | None = None

    @property
    def request_id(self) -> str:
        """The request's id."""
        return self.request.request_id

    @property
    def case(self) -> Case:
        """What the state machine knows of it."""
        proofs = [Proof(one.identity_id, one.state, one.subject_ref, one.shared) for one in self.identities]
        said = self.request
        return Case(said.type, said.state, tuple(proofs), said.authority, said.duplicate_of)

    @property
    def course(self) -> Course:
        """What its clock depends on."""
        said = self.request
        runs = self.taken_up or said
        return Course(
            runs.type,
            runs.received_at,
            said.zone,
            said.holidays_of,
            tuple(Ask(each.reason, each.asked_at, each.answered_at) for each in self.asks),
            tuple(Extended(each.at, each.until) for each in self.extensions),
        )

    @property
    def begun_at(self) -> datetime:
        """When what is to be done now began: at its receipt, or when it was opened again."""
        return self.request.received_at if self.taken_up is None else self.taken_up.reopening.at

    @property
    def is_part(self) -> bool:
        """Whether it was opened again for a part only: staff see to that, nothing happens by itself."""
        return self.taken_up is not None and self.taken_up.reopening.partly

    def under(
        self, *, regime: str, zone: str, holidays_of: str | None, country: str | None, region: str | None
    ) -> "Dossier":
        """The same request under another regime or place."""
        said = replace(
            self.request, regime=regime, zone=zone, holidays_of=holidays_of, country=country, region=region
        )
        return replace(self, request=said)

    def identity(self, identity_id: str) -> Identity:
        """One of its identities; NotFoundError for any other."""
        for each in self.identities:
            if each.identity_id == identity_id:
                return each
        raise NotFoundError("This request names no such identity.")


def open_dossier(snap: Snapshot, request_id: str) -> Dossier:
    """Read a request with its parts, locked in a unit of work; NotFoundError if there is none."""
    lock = isinstance(snap, Work)
    request = store.find(snap.connection, snap.tenant_id, request_id, lock=lock)
    if request is None:
        raise NotFoundError("There is no request of this id.")
    at = (snap.connection, snap.tenant_id, request_id)
    dossier = Dossier(
        request,
        tuple(store.parts_of(*at, Identity)),
        tuple(store.parts_of(*at, Match)),
        tuple(store.parts_of(*at, StoredAsk)),
        tuple(store.parts_of(*at, StoredExtension)),
    )
    if request.reopened_at is None:
        return dossier
    reopening = max(store.parts_of(*at, Reopening), key=lambda each: each.at)
    return since(snap, dossier, reopening)


def since(snap: Snapshot, dossier: Dossier, reopening: Reopening) -> Dossier:
    """A request as it stands since it was opened again."""
    at = (snap.connection, snap.tenant_id, reopening.appeal_id)
    appeal = store.find(*at)
    assert appeal is not None, "a request is never deleted before its tenant"
    later = [each for each in dossier.extensions if each.at >= reopening.at]
    return replace(
        dossier,
        asks=tuple(each for each in dossier.asks if each.asked_at >= reopening.at),
        extensions=(*store.parts_of(*at, StoredExtension), *later),
        taken_up=TakenUp(reopening, appeal.type, appeal.received_at),
    )


def regime_of(snap: Snapshot, request: Request) -> Regime:
    """The regime of a request."""
    return law(snap.resource(Settings).policies_dir).regimes.get(request.regime)


def clock_of(snap: Snapshot, dossier: Dossier) -> Clock:
    """The clock of a request: that of its regime on the day of receipt, or of what opened it again."""
    request, runs = dossier.request, dossier.taken_up or dossier.request
    clock = regime_of(snap, request).clock(runs.type, runs.received_at)
    if clock is None:  # the regime's file was changed since
        fallback = law(snap.resource(Settings).policies_dir).regimes.fallback(request.country)
        clock = fallback.clock(runs.type, runs.received_at)
    assert clock is not None
    return clock if dossier.taken_up is None else after_appeal(clock)


def reading_of(snap: Snapshot, dossier: Dossier) -> Reading:
    """What a request's clock shows now; that of a closed one stands still."""
    until = dossier.request.closed_at or snap.now
    return read(clock_of(snap, dossier), dossier.course, until)


def keep(
    work: Work,
    dossier: Dossier,
    kind: str,
    *,
    case: Case | None = None,
    facts: Mapping[str, Fact] | None = None,
    told: Mapping[str, object | None] | None = None,
    **columns: Any,
) -> Dossier:
    """Record `rights.<kind>` and write what follows for the request: its state, proofs and clock.

    `told` is sealed with the event; `columns` are further columns of the request. Reads the request again.
    What a request began ends with it, whatever way it takes: raises as `leaving.leave` does.
    """
    request = dossier.request
    event_id = work.new_id("evt")
    now = case or dossier.case
    leaving.leave(work, request, dossier.case, now)
    record(work, dossier, kind, case=now, facts=facts, told=told, event_id=event_id)
    if now.state in CLOSED_STATES and request.closed_at is None:
        columns.setdefault("closed_at", work.now)
        columns.setdefault("waits_for", None)
        task_reports.no_longer_asked(work, f"{request.request_id}/")
    if now.state == VERIFYING and request.state in (VERIFIED, IN_PROGRESS, WAITING):
        # To be proved anew, with the whole time that proof may take: the term of the first proof is over.
        columns = {"verified_at": None, "proof_until": None, **columns}
    before = {each.identity: each for each in dossier.case.proofs}
    for proof in now.proofs:
        if before.get(proof.identity) != proof:
            values = {"state": proof.state, "subject_ref": proof.subject, "shared": proof.shared}
            store.update_part(
                work.connection, work.tenant_id, Identity, request.request_id, proof.identity, values
            )
    written = {
        "state": now.state,
        "authority": now.authority,
        "duplicate_of": now.repeats,
        "event_id": event_id,
        **columns,
    }
    store.update(work.connection, work.tenant_id, request.request_id, written)
    return rewind(work, open_dossier(work, request.request_id))


def rewind(work: Work, dossier: Dossier) -> Dossier:
    """Bring the instants that jobs look for in line with the clock."""
    reading = reading_of(work, dossier)
    said = dossier.request
    moved = replace(said, due_at=reading.due_at, acknowledge_by=reading.acknowledge_by)
    if moved == said:
        return dossier
    changed = {"due_at": moved.due_at, "acknowledge_by": moved.acknowledge_by}
    store.update(work.connection, work.tenant_id, dossier.request_id, changed)
    return replace(dossier, request=moved)


def record(
    work: Work,
    dossier: Dossier,
    kind: str,
    *,
    case: Case | None = None,
    facts: Mapping[str, Fact] | None = None,
    told: Mapping[str, object | None] | None = None,
    event_id: str | None = None,
) -> Event:
    """Record `rights.<kind>` about a request: ids and codes only; `told` is sealed.

    Names a person only once somebody was proved to be that person.
    """
    request = dossier.request
    now = case or dossier.case
    proved = [each.subject for each in now.proofs if each.state == "verified" and not each.shared]
    subject_ref = proved[0] if len(set(proved)) == 1 else None
    event_id = event_id or work.new_id("evt")
    said: dict[str, Fact] = {
        "request": request.request_id,
        "type": request.type,
        "state": now.state,
        "due_at": wire(request.due_at),
        **(facts or {}),
    }
    return work.record(
        f"rights.{kind}",
        subject_ref=subject_ref,
        facts=said,
        sealed=None if told is None else sealing.evidence(work, request.request_id, event_id, told),
        event_id=event_id,
    )
