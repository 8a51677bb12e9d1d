"""A request by OpenDSR 2.0, as the controller sends it, and how its status is told. Pure.

Source: specification-v2.0 (section numbers in brackets). Where it contradicts itself, or leaves a thing open,
the choice is written down in `docs/opendsr.md`.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.errors import InvalidError
from governance.rights.model import (
    ACCESS,
    ANSWERED,
    ERASURE,
    EXPIRED,
    PORTABILITY,
    RECEIVED,
    REFUSED,
    VERIFYING,
    WITHDRAWN,
)
from governance.subjects.model import SubjectReference

VERSION = "2.0"
ALSO_KNOWN_AS = (VERSION, "2", "2.0.0")
"""How a controller may name the version that it wants (3.4: semantic versioning)."""
TYPES = (ACCESS, PORTABILITY, ERASURE)
"""The types of request that there are (6.2), under the names that they have here."""

IDENTITIES = (("controller_customer_id", "raw"), ("email", "raw"))
"""What people can be found by. Hashes cannot: we keep none that others could make."""

IDENTITY_TYPES = (
    "controller_customer_id",
    "android_advertising_id",
    "android_id",
    "email",
    "fire_advertising_id",
    "ios_advertising_id",
    "ios_vendor_id",
    "microsoft_advertising_id",
    "microsoft_publisher_id",
    "roku_publisher_id",
    "roku_advertising_id",
)
FORMATS = ("raw", "sha1", "md5", "sha256")
MOST_CALLBACKS = 5
MOST_IDENTITIES = 10

PENDING, IN_PROGRESS, COMPLETED, CANCELLED = "pending", "in_progress", "completed", "cancelled"
FINAL = (COMPLETED, CANCELLED)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What a controller asks. `regulation`: gdpr | ccpa, or None where it was left out.

    `identities`: those by which people can be found here; the others are counted in `unusable`.
    """

    subject_request_id: str
    type: str
    regulation: str | None
    submitted_at: datetime
    identities: Sequence[SubjectReference]
    unusable: int
    callbacks: Sequence[str]


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request as it is kept: `client_id` is the controller, `request_id` the request about rights.

    `reported` is the status that its callbacks were last told of (or are being told of).
    """

    client_id: str
    subject_request_id: str
    request_id: str
    type: str
    body_mac: str
    received_at: datetime
    expected_at: datetime
    callbacks_sealed: bytes | None
    callbacks: int
    reported: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """One status on its way to one callback. `state`: pending | delivered | dead."""

    report_id: str
    client_id: str
    subject_request_id: str
    number: int
    status: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime | None
    problem: str | None


def status_of(state: str) -> str:
    """The status of 8 that a state of a request about rights comes to.

    What was answered in part is `completed`, too: OpenDSR has no word for it.
    """
    if state in (RECEIVED, VERIFYING):
        return PENDING
    if state in ANSWERED:
        return COMPLETED
    if state in (REFUSED, WITHDRAWN, EXPIRED):
        return CANCELLED
    return IN_PROGRESS


def check_id(text: object) -> str:
    """Read a `subject_request_id`: a UUID of version 4, in small letters (1.1); InvalidError."""
    complaint = "Use a UUID of version 4 in small letters."
    try:
        found = uuid.UUID(str(text))
    except ValueError:
        raise InvalidError(complaint, fields={"subject_request_id": [complaint]}) from None
    if str(found) != text or found.version != 4:
        raise InvalidError(complaint, fields={"subject_request_id": [complaint]})
    return str(found)


def references(identities: Sequence[Mapping[str, str]]) -> tuple[list[SubjectReference], int]:
    """The people's names that can be used, each once, and how many cannot; InvalidError if none can."""
    usable: dict[SubjectReference, None] = {}
    unusable = 0
    for each in identities:
        kind, value = each["identity_type"], each["identity_value"]
        if (kind, each["identity_format"]) not in IDENTITIES:
            unusable += 1
        elif kind == "email":
            usable[SubjectReference(email=value)] = None
        else:
            usable[SubjectReference(id=value)] = None
    if not usable:
        named = ", ".join(f"{kind} ({form})" for kind, form in IDENTITIES)
        complaint = f"Name the person by at least one of: {named}."
        raise InvalidError(complaint, fields={"subject_identities": [complaint]})
    return list(usable), unusable
