"""Complaint reports of mailbox providers (ARF, RFC 5965): read from a message, told apart by type. Pure.

Only `abuse` and `opt-out` say that a person wants no more; `auth-failure` (RFC 6591) is about the
sender's own signatures and says nothing about a person; `fraud` and `virus` are for people to read.
"""

import email
import email.policy
import email.utils
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message

from governance.errors import InvalidError

MOST_BYTES = 1024 * 1024
LEAVING = frozenset({"abuse", "opt-out", "opt-out-list"})
FOR_PEOPLE = frozenset({"fraud", "virus", "other"})

_MOST_RECIPIENTS = 100
_YEARS = range(1990, 2200)
_TYPE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NO_REPORT = (
    "This is no feedback report; send the message as it came in, with its part message/feedback-report."
)


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """One report. Addresses are without angle brackets in `recipients`, as written elsewhere.

    `recipients`: whom the report is about, as far as it says so. `unsubscribe_links`: those of the message
    that was complained about. `arrival_at` None if it is not said or cannot be read.
    """

    feedback_type: str
    version: str | None = None
    user_agent: str | None = None
    original_mail_from: str | None = None
    original_rcpt_to: str | None = None
    original_envelope_id: str | None = None
    reporting_mta: str | None = None
    source_ip: str | None = None
    incidents: int = 1
    arrival_at: datetime | None = None
    reported_domain: tuple[str, ...] = ()
    reported_uri: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    unsubscribe_links: tuple[str, ...] = field(default=(), repr=False)


def read_report(raw: bytes, content_type: str | None = None) -> FeedbackReport:
    """Read a report: a whole message, or its parts alone with the request's own Content-Type.

    Raises InvalidError for anything else.
    """
    if content_type and content_type.lower().startswith(("multipart/report", "message/feedback-report")):
        head = raw.lstrip()[:200].split(b"\n", 1)[0].lower()
        bare = content_type.lower().startswith("message/") or head.startswith(b"--")
        if bare:
            raw = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\n\n" + raw
    try:
        return _read(email.message_from_bytes(raw, policy=email.policy.compat32))
    except RecursionError:
        raise InvalidError("This message is nested too deeply to be read.") from None


def _read(message: "Message[str, str]") -> FeedbackReport:
    part = next(
        (each for each in message.walk() if each.get_content_type() == "message/feedback-report"), None
    )
    fields = None if part is None else _fields(part)
    kind = "" if fields is None else _one(fields, "Feedback-Type").lower()
    if fields is None or not _TYPE.fullmatch(kind):
        raise InvalidError(_NO_REPORT, fields={"body": [_NO_REPORT]})
    original = _original(message)
    named = [*_every(fields, "Original-Rcpt-To"), *_every(fields, "Removal-Recipient")]
    if not named and original is not None:
        named = _every(original, "To")
        named = named if len(_addresses(named)) == 1 else []
    links = [] if original is None else _every(original, "List-Unsubscribe")
    incidents = _one(fields, "Incidents")
    mta = _one(fields, "Reporting-MTA")
    return FeedbackReport(
        feedback_type=kind,
        version=_one(fields, "Version") or None,
        user_agent=_one(fields, "User-Agent") or None,
        original_mail_from=_one(fields, "Original-Mail-From") or None,
        original_rcpt_to=_one(fields, "Original-Rcpt-To") or None,
        original_envelope_id=_one(fields, "Original-Envelope-Id") or None,
        reporting_mta=mta.partition(";")[2].strip() or mta or None,
        source_ip=next(iter(_one(fields, "Source-IP").split()), None),
        incidents=int(incidents) if re.fullmatch(r"\d{1,9}", incidents) else 1,
        arrival_at=_instant(_one(fields, "Arrival-Date") or _one(fields, "Received-Date")),
        reported_domain=tuple(_every(fields, "Reported-Domain")),
        reported_uri=tuple(_every(fields, "Reported-URI")),
        recipients=tuple(_addresses(named))[:_MOST_RECIPIENTS],
        unsubscribe_links=tuple(re.findall(r"<(https?://[^<>\s]{1,1000})>", " ".join(links))),
    )


def _fields(part: "Message[str, str]") -> "Message[str, str]":
    """The report's fields: the parser has read the part as a message of its own."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    return email.message_from_string(str(part.get_payload()))


def _original(message: "Message[str, str]") -> "Message[str, str] | None":
    """The message that was complained about, or its header alone."""
    for part in message.walk():
        if part.get_content_type() == "message/rfc822":
            payload = part.get_payload()
            if isinstance(payload, list) and payload and isinstance(payload[0], Message):
                return payload[0]
        if part.get_content_type() in ("text/rfc822-headers", "message/rfc822-headers"):
            return email.message_from_string(str(part.get_payload()))
    return None


def _every(message: "Message[str, str]", name: str) -> list[str]:
    return [" ".join(str(value).split()) for value in message.get_all(name, [])]


def _one(message: "Message[str, str]", name: str) -> str:
    return next(iter(_every(message, name)), "")


def _addresses(values: list[str]) -> list[str]:
    """The bare addresses in header fields, each once."""
    found = [address for _, address in email.utils.getaddresses(values) if "@" in address]
    return list(dict.fromkeys(found))


def _instant(text: str) -> datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return found if found.year in _YEARS else None
