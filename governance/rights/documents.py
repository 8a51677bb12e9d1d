"""Requests as the API shows them. What the person wrote is opened only where one request is asked for."""

from collections.abc import Mapping
from typing import Any

from governance.clock import wire
from governance.rights import store
from governance.rights.challenges import methods
from governance.rights.clocks import Clock, Ground, Reading, is_over
from governance.rights.dossier import Dossier, clock_of, reading_of, regime_of
from governance.rights.intake import content_of, value_of
from governance.rights.model import CLOSED_STATES, REFUSED, Match, Reopening, Request
from governance.rights.refusals import Clause
from governance.rights.regime_files import law
from governance.rights.regimes import Regime
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.work import Snapshot


def document(snap: Snapshot, dossier: Dossier, *, opened: bool = False) -> dict[str, Any]:
    """A request. With `opened` also what the person wrote and the identifiers named, null once forgotten."""
    said = dossier.request
    regime = regime_of(snap, said)
    content = content_of(snap, said) if opened else {}
    closed = said.state in CLOSED_STATES
    shown: dict[str, Any] = {
        "id": said.request_id,
        "type": said.type,
        "status": said.state,
        "regime": said.regime,
        "right": regime.gives(said.type),
        "clock": _clock(snap, dossier, regime),
        "identities": [
            {
                "id": each.identity_id,
                "kind": each.kind,
                "status": each.state,
                "method": each.proof,
                "shared": each.shared,
                "methods": methods(snap, dossier, each),
                **({"value": value_of(snap, each)} if opened else {}),
            }
            for each in dossier.identities
        ],
        "on_behalf_of": None if said.behalf is None else {"kind": said.behalf, "authority": said.authority},
        "language": said.language,
        "channel": said.channel,
        "received_at": wire(said.received_at),
        "acted_at": _wire(said.acted_at),
        "verified_at": _wire(said.verified_at),
        "acknowledged_at": _wire(said.acknowledged_at),
        "closed_at": _wire(said.closed_at),
        "waits_for": said.waits_for,
        "owner": said.owner,
        "outcome": said.outcome,
        "refusal": _refusal(snap, said, regime),
        "appeal_of": said.appeal_of,
        "appeals": [_appeal(each) for each in store.about(snap.connection, snap.tenant_id, said.request_id)],
        "reopened": None if dossier.taken_up is None else _reopened(dossier.taken_up.reopening),
        "repeats": said.duplicate_of,
        "complaint": regime.complaint,
        "appeal": None if regime.appeal is None else {"decide_within": str(regime.appeal.decide)},
    }
    if opened:
        shown["refusable_on"] = [] if closed else list(_grounds(snap, said, regime))
        shown["details"] = content.get("details")
        shown["details_added"] = content.get("added", [])
        shown["name"] = content.get("name")
        shown["language_asked"] = content.get("language")
        if shown["on_behalf_of"] is not None:
            shown["on_behalf_of"]["told"] = content.get("on_behalf_of")
    return shown


def matches(snap: Snapshot, dossier: Dossier) -> list[dict[str, Any]]:
    """Whom each identity may mean, by the CRM's ids (null for the erased), with what is settled."""
    ids = subjects.external_ids(snap, {each.subject_ref for each in dossier.matches})
    by_identity: dict[str, list[Match]] = {}
    for match in dossier.matches:
        by_identity.setdefault(match.identity_id, []).append(match)
    return [
        {
            "identity": identity.identity_id,
            "kind": identity.kind,
            "status": identity.state,
            "settled": not identity.shared,
            "subjects": [
                {"id": ids.get(match.subject_ref), "status": match.state}
                for match in by_identity.get(identity.identity_id, [])
            ],
        }
        for identity in dossier.identities
    ]


def _appeal(said: Request) -> dict[str, Any]:
    """An appeal against the answer to a request, or a complaint about it."""
    return {
        "id": said.request_id,
        "type": said.type,
        "status": said.state,
        "received_at": wire(said.received_at),
        "closed_at": _wire(said.closed_at),
    }


def _reopened(said: Reopening) -> dict[str, Any]:
    """By which appeal a request was opened again last, and the answer that this took the place of."""
    return {
        "at": wire(said.at),
        "by": said.appeal_id,
        "partly": said.partly,
        "before": {
            "status": said.state,
            "outcome": said.outcome,
            "closed_at": wire(said.closed_at),
            "due_at": wire(said.due_at),
        },
    }


def _clock(snap: Snapshot, dossier: Dossier, regime: Regime) -> dict[str, Any]:
    clock, reading = clock_of(snap, dossier), reading_of(snap, dossier)
    closed = dossier.request.state in CLOSED_STATES
    return {
        "acknowledge_by": _wire(reading.acknowledge_by),
        "due_at": wire(reading.due_at),
        "due_on": reading.due_on.isoformat(),
        "starts_on": reading.starts_on.isoformat(),
        "time_zone": dossier.request.zone,
        "paused": reading.paused and not closed,
        "waits_for": None if closed else reading.waits_for,
        "extend_by": _wire(reading.extend_by),
        "extension_until": _wire(reading.extension_until),
        "times_extended": reading.times_extended,
        "overdue": not closed and is_over(reading, snap.now),
        "basis": _basis(clock, reading, regime),
    }


def _basis(clock: Clock, reading: Reading, regime: Regime) -> dict[str, Any]:
    """What the clock rests on, with every clause that it was read by."""
    return {
        "regime": regime.id,
        "title": regime.title,
        "period": str(clock.respond),
        "statutory": clock.statutory,
        "says": clock.says,
        **_ground(clock.ground),
        "ends_on_working_day": _maybe(clock.on_working_day),
        "pauses": _maybe(clock.pause_ground),
    }


def _grounds(snap: Snapshot, request: Request, regime: Regime) -> Mapping[str, Clause]:
    return law(snap.resource(Settings).policies_dir).grounds(regime, request.type)


def _refusal(snap: Snapshot, request: Request, regime: Regime) -> dict[str, Any] | None:
    """The ground of a refusal with its clause, as the files have it now; None if it was not refused."""
    if request.state != REFUSED or request.outcome is None:
        return None
    clause = _grounds(snap, request, regime).get(request.outcome)
    basis = None if clause is None else {**_ground(clause.ground), "statutory": clause.statutory}
    return {"ground": request.outcome, "basis": basis}


def _ground(ground: Ground) -> dict[str, Any]:
    return {"cites": list(ground.cites), "source": list(ground.source), "verified": ground.verified}


def _maybe(ground: Ground | None) -> dict[str, Any] | None:
    return None if ground is None else _ground(ground)


def _wire(instant: Any) -> str | None:
    return None if instant is None else wire(instant)
