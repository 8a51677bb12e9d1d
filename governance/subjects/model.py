"""A data subject: what is known, how it may change, and what a change amounts to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import Final

from governance.errors import GovernanceError, InvalidError
from governance.happened import happened_at
from governance.subjects.identifiers import (
    CHANNEL_POINT_TYPE,
    POINT_TYPES,
    SUBSCRIBERS,
    Identifier,
    PointValue,
    check_code,
    check_external_id,
    normalise,
    read_identifier,
)
from governance.subjects.places import (
    check_country,
    check_language,
    check_region,
    check_time_zone,
    country_of_region,
)

__all__ = [
    "ABSENT",
    "CHANNEL_POINT_TYPE",
    "POINT_TYPES",
    "SUBSCRIBERS",
    "Absent",
    "ContactPoint",
    "Identifier",
    "NewSubject",
    "Organisation",
    "PointValue",
    "PutOutcome",
    "RelationshipEvent",
    "Subject",
    "SubjectChange",
    "SubjectReference",
    "check_external_id",
    "normalise",
    "read_identifier",
]

RELATIONSHIP = "relationship"
"""The stage model that is always in use."""

RELATIONSHIP_STAGES = ("lead", "contact", "client", "active_service", "dormant", "churned")
"""What a CRM may assert as the opening stage."""

CUSTOMER_TYPES = ("consumer", "business")
ACQUIRED = ("person", "import", "acquired_list", "third_party", "unknown")
"""How a person came to be known: by an own act, from another system of ours, from a bought list, from
somebody else or somewhere public (a referral, a social network, a blog, a review site), or nobody said.
"""

NOT_FROM_THE_PERSON = ("acquired_list", "third_party")
"""Sources that oblige to tell the person where the data came from (GDPR Art. 14)."""

POINT_STATES = ("open", "closed", "undeliverable")
_FIRST_BIRTH_YEAR = 1880


class Absent(Enum):
    """The one value of a member that was not named; None clears, absence keeps."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

Text = str | Absent | None


@dataclass(frozen=True, slots=True)
class Organisation:
    """The organisation that a person acts for: the CRM's opaque id and ISO 3166-1 country, both optional."""

    id: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class SubjectChange:
    """What a caller says about a person: named members replace (None clears), ABSENT ones stay.

    `relationship` is the asserted opening stage, valid at creation only. `acquired` tells how the person came
    to be known; `acquired_at` is never later than now. `source_channel` is a code, `source_url` is sealed.
    """

    identifiers: Sequence[Identifier] | Absent = ABSENT
    country: Text = ABSENT
    region: Text = ABSENT
    time_zone: Text = ABSENT
    language: Text = ABSENT
    birth_date: date | Absent | None = ABSENT
    customer_type: Text = ABSENT
    organisation: Organisation | Absent | None = ABSENT
    relationship: str | None = None
    acquired: str | Absent = ABSENT
    acquired_at: datetime | Absent | None = ABSENT
    capture_point: Text = ABSENT
    source_channel: Text = ABSENT
    source_url: Text = ABSENT

    def checked(self, now: datetime) -> "SubjectChange":
        """Return the same change, every attribute in its one form; InvalidError names the first bad field.

        Identifiers are read later, when the person's country is known. A region alone names its country.
        """
        country = check_country(self.country) if isinstance(self.country, str) else self.country
        region = self.region
        if isinstance(region, str):
            region = check_region(region, country if isinstance(country, str) else None)
            country = country if isinstance(country, str) else country_of_region(region)
        return replace(
            self,
            country=country,
            region=region,
            time_zone=check_time_zone(self.time_zone) if isinstance(self.time_zone, str) else self.time_zone,
            language=check_language(self.language) if isinstance(self.language, str) else self.language,
            birth_date=_check_birth(self.birth_date, now),
            customer_type=_one_of("attributes.customer_type", self.customer_type, CUSTOMER_TYPES),
            organisation=_check_organisation(self.organisation),
            relationship=_opening(self.relationship),
            acquired=ABSENT if isinstance(self.acquired, Absent) else _known_source(self.acquired),
            acquired_at=happened_at(self.acquired_at, now, "acquired_at")
            if isinstance(self.acquired_at, datetime)
            else self.acquired_at,
            capture_point=_code("source.capture_point", self.capture_point),
            source_channel=_code("source.channel", self.source_channel),
            source_url=_check_url(self.source_url),
        )


@dataclass(frozen=True, slots=True)
class NewSubject:
    """One row for the fast path of imports."""

    external_id: str
    change: SubjectChange


@dataclass(frozen=True, slots=True)
class PutOutcome:
    """What a put came to. `subject_ref` is '' where no person was made.

    `blocked`: the values belong to an erased person; nothing was written but the event of the attempt, and
    the edge must answer 409 `resurrection-blocked`. `refusal` (fast path only) is why a row was not taken.
    """

    subject_ref: str
    created: bool
    blocked: bool = False
    changed: bool = True
    refusal: GovernanceError | None = None


@dataclass(frozen=True, slots=True)
class SubjectReference:
    """How a caller names a person: by exactly one of the CRM's id, an e-mail address, a telephone number."""

    id: str | None = None
    email: str | None = None
    phone: str | None = None

    def __post_init__(self) -> None:
        """Refuse none and several."""
        if sum(each is not None for each in (self.id, self.email, self.phone)) != 1:
            complaint = "Name the person by exactly one of id, email and phone."
            raise InvalidError(complaint, fields={"subject": [complaint]})


@dataclass(frozen=True, slots=True)
class Subject:
    """A data subject with standing. Ages are counted from the `*_at` instants; sealed members need the vault.

    `birth_month` is YYYY-MM. `merged_into` names the person that this record was merged into.
    """

    subject_ref: str
    external_id: str
    country: str | None
    region: str | None
    time_zone: str | None
    language: str | None
    customer_type: str | None
    birth_month: str | None
    birth_date_sealed: bytes | None
    organisation_id: str | None
    organisation_country: str | None
    acquired: str
    acquired_at: datetime | None
    capture_point: str | None
    source_channel: str | None
    source_url_sealed: bytes | None
    stage_relationship: str | None
    stage_since: datetime | None
    restricted: bool
    erasure_pending: bool
    erased: bool
    held: bool
    last_purchase_at: datetime | None
    last_inquiry_at: datetime | None
    last_contact_at: datetime | None
    contract_state: str
    contract_ended_at: datetime | None
    subscription_state: str
    subscription_ended_at: datetime | None
    notice_given: bool
    invoice_open: bool
    warranty_open: bool
    dispute_open: bool
    merged_into: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """A way to reach a person. `state` began at `since`; `origin_ref` is whose it was before any merge."""

    subject_ref: str
    point_ref: str
    type: str
    value_sealed: bytes
    blind_index: str
    suppression_hash: str
    country: str | None
    state: str
    verified: bool
    subscriber: str | None
    since: datetime
    origin_ref: str


@dataclass(frozen=True, slots=True)
class RelationshipEvent:
    """Something that happened in the relationship, as it is kept. `event_id` is the ledger's event."""

    subject_ref: str
    relationship_event_id: str
    event: str
    occurred_at: datetime
    reference_sealed: bytes | None
    matter: str
    product_family: str | None
    point_ref: str | None
    opt_out_offered: bool | None
    event_id: str


def _check_birth(birth: date | Absent | None, now: datetime) -> date | Absent | None:
    if isinstance(birth, date) and not (date(_FIRST_BIRTH_YEAR, 1, 1) <= birth <= now.date()):
        complaint = "A birth date lies in the past, not before 1880."
        raise InvalidError(complaint, fields={"attributes.birth_date": [complaint]})
    return birth


def _check_organisation(named: Organisation | Absent | None) -> Organisation | Absent | None:
    if not isinstance(named, Organisation):
        return named
    return Organisation(
        None if named.id is None else check_external_id(named.id),
        None if named.country is None else check_country(named.country, "organisation.country"),
    )


def _check_url(url: Text) -> Text:
    if isinstance(url, str) and (not url.isprintable() or len(url) > 2048):
        complaint = "A source URL is at most 2048 printable characters."
        raise InvalidError(complaint, fields={"source.url": [complaint]})
    return url


def _code(field: str, value: Text) -> Text:
    return check_code(value, field) if isinstance(value, str) else value


def _opening(stage: str | None) -> str | None:
    _one_of("relationship", stage, RELATIONSHIP_STAGES)
    return stage


def _known_source(acquired: str) -> str:
    _one_of("acquired", acquired, ACQUIRED)
    return acquired


def _one_of(field: str, value: Text, allowed: Sequence[str]) -> Text:
    if isinstance(value, str) and value not in allowed:
        complaint = f"This is one of {', '.join(allowed)}."
        raise InvalidError(complaint, fields={field: [complaint]})
    return value
