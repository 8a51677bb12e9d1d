"""The transfer map and the report: who lives where, where data go, what the gate has said of late."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from governance.clock import wire
from governance.decisions import service as decisions
from governance.decisions.keeping import KeptDecision
from governance.transfers import affected, facts, flows
from governance.transfers.gate import FlowAnswer, open_gate
from governance.transfers.model import ACTION, FLOW_STATES, IN_FORCE, STATES, STOPPED
from governance.work import Snapshot

PERIOD = timedelta(days=30)
MOST_DECISIONS = 5_000
SMALL = 5
"""Cells of fewer people in a region are shown with their country only."""
SOON = timedelta(days=90)
_SEND = "communication.send"
_PAGE = 500


def picture(snap: Snapshot) -> dict[str, Any]:
    """Countries with the people who live there, flows between them, and decisions of the last 30 days."""
    gate = open_gate(snap)
    answers = flows.all_of(gate).values()
    lived = _countries(snap)
    named = {flow.origin for flow in gate.register.flows} | {flow.destination for flow in gate.register.flows}
    routes, counted, complete = _routes(snap)
    named |= {place for route in routes for place in (route["origin"], route["destination"]) if place}
    for country in sorted(named - lived.keys()):
        lived[country] = {"country": country, "people": 0, "regions": []}
    return {
        "at": wire(snap.now),
        "home": gate.register.tenant_country,
        "countries": list(lived.values()),
        "flows": [_arrow(each) for each in answers],
        "decisions": {
            "since": wire(snap.now - PERIOD),
            "until": wire(snap.now),
            "counted": counted,
            "complete": complete,
            "routes": routes,
        },
    }


def report(snap: Snapshot) -> dict[str, Any]:
    """How transfers stand: flows by status with the people concerned, mechanisms by state, what ends soon."""
    gate = open_gate(snap)
    since = flows.since(snap)
    answers = list(flows.all_of(gate).values())
    mechanisms = list(gate.register.mechanisms.values())
    routes, counted, complete = _routes(snap)
    resting = {
        name: [each.flow.flow_id for each in answers if name in each.flow.mechanisms]
        for name in gate.register.mechanisms
    }
    return {
        "at": wire(snap.now),
        "flows": [
            {
                **flows.flow_document(each.flow),
                "status": each.status,
                "mechanism_in_use": each.mechanism,
                "codes": list(each.codes),
                "people": each.people,
                "since": since.get(each.flow.flow_id),
            }
            for each in answers
        ],
        "by_status": {status: sum(each.status == status for each in answers) for status in FLOW_STATES},
        "people_affected": affected.kept_back(
            gate, [each.flow for each in answers if each.status == STOPPED]
        ).people,
        "mechanisms": [
            {
                "id": each.mechanism_id,
                "kind": each.kind,
                "status": each.state(snap.now),
                "owner": each.owner,
                "expires_at": None if each.expires_at is None else wire(each.expires_at),
                "expires_soon": each.state(snap.now) == IN_FORCE
                and each.expires_at is not None
                and each.expires_at <= snap.now + SOON,
                "assessment_reference": each.assessment_reference,
                "assessment_missing": list(each.unassessed),
                "flows": resting[each.mechanism_id],
            }
            for each in mechanisms
        ],
        "by_mechanism_status": {
            status: sum(each.state(snap.now) == status for each in mechanisms) for status in STATES
        },
        "residency": list(_countries(snap).values()),
        "decisions": {
            "since": wire(snap.now - PERIOD),
            "until": wire(snap.now),
            "counted": counted,
            "complete": complete,
            "routes": routes,
        },
    }


def _countries(snap: Snapshot) -> dict[str | None, dict[str, Any]]:
    """People by country and region; regions of very few people are not told apart."""
    found: dict[str | None, dict[str, Any]] = {}
    for country, region, people in facts.residency(snap.connection, snap.tenant_id):
        entry = found.setdefault(country, {"country": country, "people": 0, "regions": []})
        entry["people"] += people
        if region is not None and people >= SMALL:
            entry["regions"].append({"region": region, "people": people})
    return found


def _arrow(each: FlowAnswer) -> dict[str, Any]:
    return {
        "id": each.flow.flow_id,
        "origin": each.flow.origin,
        "destination": each.flow.destination,
        "recipient": each.flow.recipient,
        "data_classes": list(each.flow.data_classes),
        "status": each.status,
        "mechanism_in_use": each.mechanism,
        "people": each.people,
    }


def _routes(snap: Snapshot) -> tuple[list[dict[str, Any]], int, bool]:
    """What was decided of late, by route: answers and codes; how many were counted, and whether all were.

    Messages count where they were sent from abroad.
    """
    tally: dict[tuple[str | None, str | None], Counter[str]] = {}
    codes: dict[tuple[str | None, str | None], Counter[str]] = {}
    counted, complete = 0, True
    for action in (ACTION, _SEND):
        for number, each in enumerate(_recent(snap, action)):
            if number >= MOST_DECISIONS:
                complete = False
                break
            route = _route(each)
            if route is None:
                continue
            counted += 1
            tally.setdefault(route, Counter())["allowed" if each.allowed else "denied"] += 1
            codes.setdefault(route, Counter()).update(each.codes)
    routes = [
        {
            "origin": route[0],
            "destination": route[1],
            "allowed": counts["allowed"],
            "denied": counts["denied"],
            "codes": dict(sorted(codes[route].items())),
        }
        for route, counts in sorted(tally.items(), key=lambda one: (one[0][0] or "", one[0][1] or ""))
    ]
    return routes, counted, complete


def _recent(snap: Snapshot, action: str) -> Iterator[KeptDecision]:
    after: str | None = None
    while True:
        found, after = decisions.page(snap, since=snap.now - PERIOD, action=action, after=after, limit=_PAGE)
        yield from found
        if after is None:
            return


def _route(each: KeptDecision) -> tuple[str | None, str | None] | None:
    known = ((each.body or {}).get("facts") or [{}])[0]
    if each.action == ACTION:
        return known.get("transfer.origin"), known.get("transfer.destination")
    if known.get("transfer.answer", "none") == "none":
        return None
    return known.get("tenant.country") or known.get("person.country"), known.get("sender.country")
