"""What a change amounts to against what is known: columns with another value, contact points that move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.errors import ConflictError
from governance.subjects.identifiers import Identifier, read_identifier
from governance.subjects.model import (
    Absent,
    ContactPoint,
    Organisation,
    PointValue,
    Subject,
    SubjectChange,
)
from governance.subjects.places import country_of_region
from governance.subjects.relations import BLANK_STANDING

_PLAIN = (
    "country",
    "region",
    "time_zone",
    "language",
    "customer_type",
    "capture_point",
    "source_channel",
    "acquired",
    "acquired_at",
)

BLANK: Mapping[str, object] = {
    **BLANK_STANDING,
    **dict.fromkeys(_PLAIN),
    "acquired": "unknown",
    "birth_month": None,
    "birth_date_sealed": None,
    "organisation_id": None,
    "organisation_country": None,
    "source_url_sealed": None,
    "stage_relationship": None,
    "stage_since": None,
    "restricted": False,
    "erasure_pending": False,
    "erased": False,
    "held": False,
    "merged_into": None,
}
"""A person of whom nothing is known: every column but ids and instants of the row itself."""


@dataclass(frozen=True, slots=True)
class PointPlan:
    """What happens to a person's contact points: values to add, columns to set by point reference, counts."""

    add: tuple[PointValue, ...]
    amend: Mapping[str, Mapping[str, object]]
    closed: int
    reopened: int

    @property
    def is_empty(self) -> bool:
        """Whether all stays as it is."""
        return not (self.add or self.amend)


NO_PLAN = PointPlan((), {}, 0, 0)


def named_columns(change: SubjectChange) -> dict[str, object]:
    """The plain columns that a checked change names, with their new values."""
    values: dict[str, object] = {}
    for name in _PLAIN:
        value = getattr(change, name)
        if not isinstance(value, Absent):
            values[name] = value
    if not isinstance(change.organisation, Absent):
        organisation = change.organisation or Organisation()
        values["organisation_id"] = organisation.id
        values["organisation_country"] = organisation.country
    if not isinstance(change.birth_date, Absent):
        values["birth_month"] = None if change.birth_date is None else change.birth_date.strftime("%Y-%m")
    return values


def changed_columns(current: Subject, change: SubjectChange) -> dict[str, object]:
    """The plain columns that get another value. A region goes when its country does, lest they contradict."""
    values = named_columns(change)
    country = values.get("country", current.country)
    if "region" not in values and current.region is not None and country != country_of_region(current.region):
        values["region"] = None
    return {name: value for name, value in values.items() if getattr(current, name) != value}


def check_not_frozen(person: Subject) -> None:
    """Refuse what would change whom somebody is found by while being erased: ConflictError `erasure-pending`.

    The order says who is erased, and where; what joined the person meanwhile would stay behind.
    """
    if person.erasure_pending:
        raise ConflictError(
            "This data subject is being erased: nothing can be changed, added or merged until the erasure "
            "has ended or was taken back.",
            reason="erasure-pending",
        )


def check_opening(current: Subject, change: SubjectChange) -> None:
    """Refuse to assert a stage of somebody who has one: ConflictError `use-transition`."""
    if change.relationship is not None and change.relationship != current.stage_relationship:
        raise ConflictError(
            "The relationship stage can be asserted at creation only; send a lifecycle transition instead.",
            reason="use-transition",
        )


def read_identifiers(sent: Sequence[Identifier] | Absent, country: str | None) -> list[PointValue]:
    """The values that were sent, each once, in their one form; InvalidError for one that cannot be read."""
    if isinstance(sent, Absent):
        return []
    values = {}
    for identifier in sent:
        value = read_identifier(identifier, country)
        values[value.type, value.normalised] = value
    return list(values.values())


def plan_points(known: Sequence[ContactPoint], values: Sequence[PointValue], *, replace: bool) -> PointPlan:
    """Bring the known contact points in line with the values (which have their hashes).

    With `replace`, a known one that is not among the values closes. One that is there again re-opens, unless
    it is undeliverable. What was not said about a known one (verified, subscriber) stays.
    """
    wanted = {(value.type, value.blind_index): value for value in values}
    amend: dict[str, dict[str, object]] = {}
    closed = reopened = 0
    for point in known:
        value = wanted.pop((point.type, point.blind_index), None)
        columns: dict[str, object] = {}
        if value is None:
            if replace and point.state == "open":
                columns["state"] = "closed"
                closed += 1
        else:
            if point.state == "closed":
                columns["state"] = "open"
                reopened += 1
            if value.verified is not None and value.verified != point.verified:
                columns["verified"] = value.verified
            if value.subscriber is not None and value.subscriber != point.subscriber:
                columns["subscriber"] = value.subscriber
        if columns:
            amend[point.point_ref] = columns
    return PointPlan(tuple(wanted.values()), amend, closed, reopened)
