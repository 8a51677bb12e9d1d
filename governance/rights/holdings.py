"""What this service itself holds about a person, for the package of an access request.

Everything is named as the person would name it; references and hashes that mean nothing to anybody are left
out. What lies in other systems is collected by their connectors.
"""

from typing import Any

from governance.clock import wire
from governance.communications import service as communications
from governance.consent import service as consent
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.work import Snapshot

_ATTRIBUTES = (
    "country", "region", "time_zone", "language", "customer_type", "birth_month", "organisation_id",
    "organisation_country", "acquired", "acquired_at", "capture_point", "source_channel",
    "stage_relationship", "stage_since", "restricted", "contract_state", "subscription_state",
    "created_at", "updated_at",
)  # fmt: skip
_SAID = (
    "purpose",
    "channel",
    "topic",
    "controller",
    "status",
    "scope",
    "method",
    "occurred_at",
    "expires_at",
)
_PAGE = 200

Section = dict[str, Any]
"""`data_class`, `title` (a key of the words), and `rows`: names → JSON values."""


def own(snap: Snapshot, subject_ref: str) -> list[Section]:
    """All that is held here about a person, by class of data."""
    person = subjects.get_by_ref(snap, subject_ref)
    ids = subjects.external_ids(snap, subjects.group(snap, subject_ref))
    happened = [
        {
            "event": each.event,
            "occurred_at": wire(each.occurred_at),
            "product_family": each.product_family,
            "reference": subjects.reveal_reference(snap, each),
        }
        for each in subjects.events(snap, subject_ref)
    ]
    return [
        _section(
            "identification", "profile", [_profile(person), *({"crm_id": each} for each in ids.values())]
        ),
        _section("contact_details", "contact_points", _points(snap, subject_ref)),
        _section("transactions", "events", happened),
        _section("consent_proofs", "consents", _consents(snap, subject_ref)),
        _section("messages", "messages", _messages(snap, subject_ref)),
    ]


def _section(data_class: str, title: str, rows: list[dict[str, Any]]) -> Section:
    return {"data_class": data_class, "title": title, "rows": rows}


def _profile(person: Subject) -> dict[str, Any]:
    return {name: _plain(getattr(person, name)) for name in _ATTRIBUTES if getattr(person, name) is not None}


def _points(snap: Snapshot, subject_ref: str) -> list[dict[str, Any]]:
    return [
        {
            "type": point.type,
            "value": subjects.reveal_point(snap, point),
            "state": point.state,
            "verified": point.verified,
            "since": wire(point.since),
        }
        for point in subjects.points(snap, subject_ref)
    ]


def _consents(snap: Snapshot, subject_ref: str) -> list[dict[str, Any]]:
    """Everything that the person ever said, in order."""
    return [
        {name: _plain(getattr(each, name)) for name in _SAID if getattr(each, name, None) not in (None, "")}
        for each in consent.history(snap, subject_ref)
    ]


def _messages(snap: Snapshot, subject_ref: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        items, after = communications.history(snap, subject_ref, after=after, limit=_PAGE)
        found += items
        if after is None:
            return found


def _plain(value: Any) -> Any:
    return wire(value) if hasattr(value, "tzinfo") else value
