"""Use cases of the flows: declare them, see how they stand, and announce where that has changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from governance.clock import wire
from governance.errors import ConflictError, InvalidError, NotFoundError, StaleError
from governance.transfers import checks, facts, store
from governance.transfers.affected import Affected
from governance.transfers.gate import FlowAnswer, Gate, open_gate
from governance.transfers.model import ACTIVE, ALL_OF, FLOW_STATES, STOPPED, Flow
from governance.work import Snapshot, Work

_EVENTS = {STOPPED: "transfers.flow_stopped", ACTIVE: "transfers.flow_resumed"}
CARRIED_ON = "transfers.flow_carried_on"


@dataclass(frozen=True, slots=True)
class Change:
    """How a flow stood and stands; `before` None where it was never said."""

    before: FlowAnswer | None
    after: FlowAnswer


def put(
    work: Work, flow_id: str, body: Mapping[str, Any], if_match: int | None = None
) -> tuple[FlowAnswer, bool]:
    """Declare a flow or replace it; gives how it stands, and whether it is new.

    What is declared already as it is put keeps its version. Raises InvalidError, StaleError if the newest
    version is not `if_match` (None: whichever it is).
    """
    gate = open_gate(work)
    present = next((each for each in gate.register.flows if each.flow_id == flow_id), None)
    newest = 0 if present is None else present.version
    if if_match not in (None, newest):
        raise StaleError(f"This flow was not changed: its newest version is {newest}; read it again.")
    version = newest + 1
    new = checks.read_flow(work, flow_id, version, body, gate.register.mechanisms, gate.ground.policy)
    if present is not None and replace(new, version=newest) == present:
        return gate.of_flow(present), False
    event = work.record(
        "transfers.flow_put",
        facts={
            "flow": flow_id,
            "version": version,
            "origin": new.origin,
            "destination": new.destination,
            "recipient": new.recipient,
            "data_classes": list(new.data_classes),
            "mechanisms": list(new.mechanisms),
        },
    )
    if not store.write_flow(
        work.connection, work.tenant_id, new, {"updated_at": work.now, "event_id": event.id}
    ):
        raise ConflictError("Someone else has just written this flow; read it again and repeat the change.")
    count_people(work)
    gate = open_gate(work)
    announce(work, gate)
    return gate.of_flow(new), present is None


def exists(snap: Snapshot, flow_id: str) -> bool:
    """Whether there is a flow of this id."""
    return any(each.flow_id == flow_id for each in store.flows(snap.connection, snap.tenant_id))


def get(snap: Snapshot, flow_id: str) -> FlowAnswer:
    """A flow and how it stands now; NotFoundError."""
    gate = open_gate(snap)
    found = next((each for each in gate.register.flows if each.flow_id == flow_id), None)
    if found is None:
        raise NotFoundError("There is no flow of this id.")
    return gate.of_flow(found)


def listed(
    snap: Snapshot, *, status: str | None = None, after: str = "", limit: int = 50
) -> list[FlowAnswer]:
    """Flows by id with how they stand now; InvalidError for a status that there is not."""
    if status is not None and status not in FLOW_STATES:
        complaint = f"Give one of {', '.join(FLOW_STATES)}."
        raise InvalidError(complaint, fields={"status": [complaint]})
    gate = open_gate(snap)
    found: list[FlowAnswer] = []
    for flow in gate.register.flows:
        if flow.flow_id <= after:
            continue
        answer = gate.of_flow(flow)
        if status in (None, answer.status):
            found.append(answer)
            if len(found) == limit:
                break
    return found


def count_people(work: Work) -> None:
    """Count who lives in the countries that flows leave, and ALL_OF: laws go by such numbers."""
    every = store.flows(work.connection, work.tenant_id)
    known = store.people(work.connection, work.tenant_id)
    with work.bookkeeping():
        for country in sorted({flow.origin for flow in every} | known.keys() | set(ALL_OF)):
            people = facts.count_people(work.connection, work.tenant_id, country, work.now)
            if known.get(country) != people:
                row = {"tenant_id": work.tenant_id, "country": country, "people": people}
                store.write_people(work.connection, {**row, "counted_at": work.now})


def all_of(gate: Gate) -> dict[str, FlowAnswer]:
    """How every flow stands, by id."""
    return {flow.flow_id: gate.of_flow(flow) for flow in gate.register.flows}


def announce(work: Work, gate: Gate) -> list[FlowAnswer]:
    """Compare how every flow stands with what was last said of it, and record an event where that differs.

    The events reach webhooks and the feed. Gives the flows of which something was said.
    """
    said = store.standings(work.connection, work.tenant_id)
    news: list[FlowAnswer] = []
    for flow_id, answer in all_of(gate).items():
        last = said.get(flow_id)
        if last is not None and (last["status"], last["mechanism"]) == (answer.status, answer.mechanism):
            continue
        if last is None and answer.status == ACTIVE:
            kind = "transfers.flow_opened"
        else:
            kind = _EVENTS.get(answer.status, CARRIED_ON)
        event = work.record(
            kind,
            facts={
                "flow": flow_id,
                "origin": answer.flow.origin,
                "destination": answer.flow.destination,
                "mechanism": answer.mechanism,
                "before": None if last is None else last["mechanism"],
                "codes": list(answer.codes),
                "people": answer.people,
            },
        )
        store.write_standing(
            work.connection,
            {
                "tenant_id": work.tenant_id,
                "flow_id": flow_id,
                "status": answer.status,
                "mechanism": answer.mechanism,
                "codes": list(answer.codes),
                "since": work.now,
                "event_id": event.id,
            },
        )
        news.append(answer)
    return news


def document(answer: FlowAnswer) -> dict[str, Any]:
    """A flow as it is answered, with how it stands and why."""
    return {
        **flow_document(answer.flow),
        "status": answer.status,
        "because": answer.because,
        "mechanism_in_use": answer.mechanism,
        "codes": list(answer.codes),
        "reasons": [reason.to_dict() for reason in answer.verdict.reasons],
        "obligations": list(answer.verdict.obligations),
        "people": answer.people,
    }


def flow_document(flow: Flow) -> dict[str, Any]:
    """A flow as it was declared."""
    return {
        "id": flow.flow_id,
        "version": flow.version,
        "origin": flow.origin,
        "destination": flow.destination,
        "recipient": flow.recipient,
        "recipient_kind": flow.recipient_kind,
        "data_classes": list(flow.data_classes),
        "mechanisms": list(flow.mechanisms),
        "people_per_year": flow.people_per_year,
    }


def impact(
    before: Mapping[str, FlowAnswer], after: Mapping[str, FlowAnswer], affected: Affected
) -> dict[str, Any]:
    """What a change of the register does to the flows: which stop, carry on or resume, and to how many.

    `people`: recorded people for whom the gate answers otherwise, each counted once, wherever they live.
    `people_declared`: those whom the flows that stop declare beyond them.
    """
    changed = [
        Change(before.get(flow_id), answer)
        for flow_id, answer in after.items()
        if flow_id in before
        and (
            (before[flow_id].status, before[flow_id].mechanism) != (answer.status, answer.mechanism)
            or affected.by_flow.get(flow_id)
        )
    ]
    stopped = [each.after for each in changed if each.after.status == STOPPED]
    return {
        "flows": [
            {
                **flow_document(each.after.flow),
                "before": None if each.before is None else _standing(each.before),
                "after": _standing(each.after),
                "people": affected.by_flow.get(each.after.flow.flow_id, 0),
            }
            for each in changed
        ],
        "stopped": [each.flow.flow_id for each in stopped],
        "carried_on": [each.after.flow.flow_id for each in changed if each.after.status != STOPPED],
        "people": affected.people,
        "people_declared": sum(each.flow.people_per_year for each in stopped),
    }


def _standing(answer: FlowAnswer) -> dict[str, Any]:
    return {"status": answer.status, "mechanism": answer.mechanism, "codes": list(answer.codes)}


def since(snap: Snapshot) -> dict[str, str]:
    """Since when each flow stands as it was last announced, by id."""
    rows = store.standings(snap.connection, snap.tenant_id)
    return {flow_id: wire(row["since"]) for flow_id, row in rows.items()}
