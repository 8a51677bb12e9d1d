"""What callers hand in and get back: acts of consent as values, and what must be true of them. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from governance.consent.model import ALL
from governance.consent.projection import ConsentEvent
from governance.errors import InvalidError
from governance.ledger.model import is_fact_text
from governance.subjects.identifiers import CHANNEL_POINT_TYPE, Identifier

CONSENT_STATUSES = ("requested", "granted", "refused", "withdrawn")
"""What `NewConsent.status` may be."""

OBJECTION_SCOPES = ("all", "purpose", "profiling")
SUPPRESSION_SCOPES = ("marketing", "all", "undeliverable")

CONFIRMATION_TERM = timedelta(days=30)
"""How long a sign-up waits for its confirmation."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_REASON = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_LONGEST_REASON = 64


@dataclass(frozen=True, slots=True)
class NoticeRef:
    """The notice that the person was shown. Without a language the version must have only one."""

    id: str
    version: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class NewConsent:
    """An act of consent. `None` for channel, topic or controller means all; `purpose` None only in a no.

    `evidence` (form_url, ip, user_agent, text_shown_sha256, wording, …) and `guardian` (who consented for a
    child, and how that was verified) are personal: they are sealed, never stored plainly. `night`: the act is
    about being contacted at night and about nothing else.
    """

    subject_ref: str
    purpose: str | None
    status: str
    method: str
    channel: str | None = None
    topic: str | None = None
    controller: str | None = None
    contact_point: Identifier | None = None
    notice: NoticeRef | None = None
    double_opt_in: bool = False
    occurred_at: datetime | None = None
    expires_at: datetime | None = None
    evidence: Mapping[str, object] | None = None
    guardian: Mapping[str, object] | None = None
    night: bool = False


@dataclass(frozen=True, slots=True)
class ImportedAct:
    """One row of an import: a consent act, an objection or a suppression of a person, already looked up.

    `status`: a consent status, or `objected`, or `suppressed` (then `scope` says which). `point_ref` is the
    person's contact point that the row speaks about, if any; `suppression_hash` is that point's, and is
    needed for a withdrawal to bar it for others. A grant without `point_ref` covers the points in
    `open_points`.
    """

    subject_ref: str
    purpose: str | None
    status: str
    method: str = "import"
    scope: str | None = None
    channel: str | None = None
    topic: str | None = None
    controller: str | None = None
    point_ref: str | None = None
    suppression_hash: str | None = None
    open_points: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    expires_at: datetime | None = None
    evidence: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The token that ends a double opt-in, to be sent to the contact point. Told once, never stored."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a place in the person's sequence. `point_refs`: one event for each."""

    consent_id: str
    kind: str
    status: str
    scope: str
    method: str
    by_person: bool
    occurred_at: datetime
    purpose: str = ALL
    controller: str = ALL
    channel: str = ALL
    topic: str = ALL
    point_refs: tuple[str, ...] = (ALL,)
    proven: bool = False
    double_opt_in: bool = False
    expires_at: datetime | None = None
    notice: NoticeRef | None = None
    guardian: bool = False
    purpose_version: int | None = None
    payload: Mapping[str, object] | None = None
    merged_from: str | None = None
    reason: str | None = None

    def events(self, subject_ref: str, *, seq: int, now: datetime, event_id: str) -> list[ConsentEvent]:
        """Give the events with sequence numbers from `seq` on."""
        return [
            ConsentEvent(
                subject_ref=subject_ref,
                seq=seq + step,
                consent_id=self.consent_id,
                kind=self.kind,
                purpose=self.purpose,
                controller=self.controller,
                channel=self.channel,
                topic=self.topic,
                point_ref=point_ref,
                status=self.status,
                scope=self.scope,
                method=self.method,
                by_person=self.by_person,
                proven=self.proven,
                double_opt_in=self.double_opt_in,
                occurred_at=self.occurred_at,
                recorded_at=now,
                event_id=event_id,
                expires_at=self.expires_at,
                notice_id=self.notice.id if self.notice else None,
                notice_version=self.notice.version if self.notice else None,
                notice_language=self.notice.language if self.notice else None,
                guardian=self.guardian,
                purpose_version=self.purpose_version,
                merged_from=self.merged_from,
                reason=self.reason,
            )
            for step, point_ref in enumerate(self.point_refs)
        ]


def clamped(occurred_at: datetime | None, now: datetime) -> datetime:
    """When a no was said: never later than now. A no is taken whatever the caller's clock says.

    A yes that lies in the future is refused instead (`happened.happened_at`).
    """
    return now if occurred_at is None else min(occurred_at, now)


def check_status(status: str) -> str:
    """Return the status of a consent; InvalidError names the known ones."""
    return _one_of("status", status, CONSENT_STATUSES)


def check_scope(scope: str, known: tuple[str, ...]) -> str:
    """Return the scope of an objection or suppression; InvalidError names the known ones."""
    return _one_of("scope", scope, known)


def check_channel(channel: str | None) -> str:
    """Return the channel ('' for all); InvalidError names the known ones."""
    return ALL if channel is None else _one_of("channel", channel, tuple(CHANNEL_POINT_TYPE))


def check_code(field: str, code: str | None) -> str:
    """Return a topic's or controller's code ('' for all): ids, never text about a person."""
    if code is None:
        return ALL
    if not _CODE.fullmatch(code) or not is_fact_text(code):
        complaint = (
            "Use a code of 1 to 128 characters of A-Z a-z 0-9 . _ : - that looks like no address or number."
        )
        raise InvalidError(f"The {field} cannot be used. {complaint}", fields={field: [complaint]})
    return code


def point_fits(channel: str, point_type: str) -> bool:
    """Whether a contact point of this type can be reached on the channel ('' is any)."""
    return not channel or CHANNEL_POINT_TYPE[channel] == point_type


def check_point(channel: str, point: Identifier) -> None:
    """Refuse a contact point that the channel cannot reach."""
    if not point_fits(channel, point.type):
        complaint = f"A contact point for {channel} is of type {CHANNEL_POINT_TYPE[channel]}."
        raise InvalidError(complaint, fields={"contact_point.type": [complaint]})


def check_expiry(expires_at: datetime | None, occurred_at: datetime) -> datetime | None:
    """Refuse a grant that had run out before it was given."""
    if expires_at is not None and expires_at <= occurred_at:
        complaint = "A consent ends after it was given."
        raise InvalidError(complaint, fields={"expires_at": [complaint]})
    return expires_at


def reason_code(reason: str | None) -> tuple[str, str | None]:
    """Split a reason into what may stand plainly (a code) and what must be sealed (free text)."""
    if not reason:
        return "unspecified", None
    if _REASON.fullmatch(reason) and len(reason) <= _LONGEST_REASON and is_fact_text(reason):
        return reason, None
    return "told", reason


def _one_of(field: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        complaint = f"This is one of {', '.join(known)}."
        raise InvalidError(f"The {field} is not known. {complaint}", fields={field: [complaint]})
    return value
