"""How persons and what happened with them are written."""

from typing import Any

from governance.clock import wire
from governance.errors import NotFoundError, UnreadableError
from governance.ledger.model import Entry
from governance.subjects import service as subjects
from governance.subjects import store
from governance.subjects.model import ContactPoint, RelationshipEvent, Subject
from governance.work import Snapshot


def person(snapshot: Snapshot, who: Subject, *, values: bool) -> dict[str, Any]:
    """Write a person. Contact points show their values only with `values` (scope `subjects:read`)."""
    return {
        "id": who.external_id,
        "ref": who.subject_ref,
        "identifiers": [point(snapshot, each, values) for each in subjects.points(snapshot, who.subject_ref)],
        "attributes": {
            "country": who.country,
            "region": who.region,
            "time_zone": who.time_zone,
            "language": who.language,
            "birth_month": who.birth_month,
            "customer_type": who.customer_type,
        },
        "organisation": {"id": who.organisation_id, "country": who.organisation_country},
        "relationship": who.stage_relationship,
        "stages": {
            model: {"stage": stage, "since": wire(since)}
            for model, (stage, since, _) in subjects.stages(snapshot, who.subject_ref).items()
        },
        "standing": {
            "restricted": who.restricted,
            "erasure_pending": who.erasure_pending,
            "erased": who.erased,
            "held": who.held,
        },
        "source": {
            "capture_point": who.capture_point,
            "channel": who.source_channel,
            "acquired": who.acquired,
        },
        "acquired_at": None if who.acquired_at is None else wire(who.acquired_at),
        "created_at": wire(who.created_at),
        "updated_at": wire(who.updated_at),
    }


def point(snapshot: Snapshot, each: ContactPoint, values: bool) -> dict[str, Any]:
    """Write a contact point; `value` is null once the person's key is destroyed."""
    written: dict[str, Any] = {
        "ref": each.point_ref,
        "type": each.type,
        "state": each.state,
        "verified": each.verified,
        "subscriber": each.subscriber,
        "since": wire(each.since),
    }
    if values:
        try:
            written["value"] = subjects.reveal_point(snapshot, each)
        except UnreadableError:
            written["value"] = None
    return written


def happening(happened: RelationshipEvent) -> dict[str, object]:
    """Write a relationship event, without its reference."""
    return {
        "id": happened.relationship_event_id,
        "event": happened.event,
        "occurred_at": wire(happened.occurred_at),
        "product_family": happened.product_family,
        "contact_point": happened.point_ref,
        "event_id": happened.event_id,
    }


def entry(each: Entry) -> dict[str, Any]:
    """Write a ledger entry as one line of a list."""
    return {
        "position": each.position,
        "id": each.event_id,
        "at": wire(each.at),
        "kind": each.kind,
        "subject_ref": each.subject_ref,
        "actor": each.actor_ref,
        "facts": each.facts,
        "leaf_hash": each.leaf_hash.hex(),
    }


def merged_record(snapshot: Snapshot, external_id: str) -> Subject:
    """The record of this very id, even if it was merged away; NotFoundError if there is none."""
    found = store.find_by_external_id(snapshot.connection, snapshot.tenant_id, external_id)
    if found is None:
        raise NotFoundError("There is no such person.")
    return found
