"""How consents, objections and suppressions are written."""

from typing import Any

from governance.clock import wire
from governance.consent.kinds import NIGHT
from governance.consent.noes import Suppression
from governance.consent.objections import ObjectionOutcome
from governance.consent.outcomes import ConsentOutcome
from governance.consent.projection import ConsentEvent
from governance.consent.views import ConsentState, StateEntry


def entry(each: StateEntry) -> dict[str, Any]:
    """Write what holds at one place; null means all."""
    return {
        "kind": each.kind,
        "purpose": each.purpose,
        "controller": each.controller,
        "channel": each.channel,
        "topic": each.topic,
        "contact_point": each.point_ref,
        "status": each.status,
        "since": None if each.since is None else wire(each.since),
        "expires_at": None if each.expires_at is None else wire(each.expires_at),
        "event_id": each.event_id,
        "guardian": each.guardian,
        "night": each.night,
    }


def outcome(made: ConsentOutcome) -> dict[str, Any]:
    """Write what an act came to, but for its place in the ledger and the confirmation's token."""
    entries = [entry(each) for each in made.state]
    return {
        "id": made.consent_id,
        "state": entries[0] if entries else None,
        "states": entries,
        "event_id": made.event_id,
        "receipt_id": made.receipt_id,
        "receipt": made.receipt,
    }


def state(external_id: str, found: ConsentState) -> dict[str, Any]:
    """Write a person's state."""
    return {
        "id": external_id,
        "as_of": wire(found.as_of),
        "consents": [entry(each) for each in found.consents],
        "objections": [entry(each) for each in found.objections],
        "suppressions": [entry(each) for each in found.suppressions],
        "contact_point_suppressions": None
        if found.point_bars is None
        else {
            point_ref: [
                {"id": bar.suppression_id, "scope": bar.scope, "since": wire(bar.occurred_at)} for bar in bars
            ]
            for point_ref, bars in found.point_bars.items()
        },
    }


def act(event: ConsentEvent) -> dict[str, Any]:
    """Write one act of a person's history."""
    return {
        "id": event.consent_id,
        "kind": event.kind,
        "purpose": event.purpose or None,
        "controller": event.controller or None,
        "channel": event.channel or None,
        "topic": event.topic or None,
        "contact_point": event.point_ref or None,
        "status": event.status,
        "scope": event.scope,
        "method": event.method,
        "by_person": event.by_person,
        "proven": event.proven,
        "double_opt_in": event.double_opt_in,
        "guardian": event.guardian,
        "night": event.kind == NIGHT,
        "notice": None
        if event.notice_id is None
        else {"id": event.notice_id, "version": event.notice_version, "language": event.notice_language},
        "occurred_at": wire(event.occurred_at),
        "recorded_at": wire(event.recorded_at),
        "expires_at": None if event.expires_at is None else wire(event.expires_at),
        "event_id": event.event_id,
    }


def objection(made: ObjectionOutcome) -> dict[str, Any]:
    """Write an objection or its release."""
    return {
        "id": made.objection_id,
        "scope": made.scope,
        "purpose": made.purpose,
        "occurred_at": wire(made.occurred_at),
        "event_id": made.event_id,
    }


def suppression(each: Suppression) -> dict[str, Any]:
    """Write a suppression."""
    return {
        "id": each.suppression_id,
        "kind": each.kind,
        "scope": each.scope,
        "on": each.on,
        "channel": each.channel,
        "purpose": each.purpose,
        "reason": each.reason,
        "occurred_at": wire(each.occurred_at),
        "released_at": None if each.released_at is None else wire(each.released_at),
        "event_id": each.event_id,
    }
