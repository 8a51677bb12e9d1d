"""A message that was authorised, what is asked to send one, and what became of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.communications.model import CheckRequest, is_code
from governance.decisions.record import DecisionRecord, PermittedPoint
from governance.errors import InvalidError

HAND_OVER = timedelta(seconds=60)
"""How long an authorisation holds: after that the answer may have changed, and must be asked again."""

OUTCOMES = (
    "delivered",
    "bounced",
    "complained",
    "replied",
    "unsubscribed",
    "opened",
    "clicked",
    "cancelled",
)
TRACKED = frozenset({"opened", "clicked"})
"""Outcomes that watch a person: kept only with a permission for the purpose `tracking`."""

BOUNCES = ("hard", "soft")
AUTHORISED = "authorised"
DENIED = "denied"
CANCELLED = "cancelled"
"""The outcome of a message that was never handed over: it gives its slots back."""

NOT_HANDED_OVER = frozenset({AUTHORISED, DENIED, CANCELLED})
"""States of a message of which nobody has told that it went out."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A message that is about to be handed over.

    `message_id`, `campaign`, `screening_id` are opaque codes.
    """

    message_id: str
    question: CheckRequest
    campaign: str | None = None
    screening_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse ids that are no opaque codes, and a question about another time than now."""
        fields: dict[str, list[str]] = {}
        for name in ("message_id", "campaign", "screening_id"):
            value = getattr(self, name)
            if not (is_code(value) or (value is None and name != "message_id")):
                fields[name] = ["Give a code of 1 to 128 characters of A-Z a-z 0-9 . _ : - ."]
        if self.question.time is not None:
            fields["context.time"] = ["A message is authorised now; leave the time out."]
        if fields:
            raise InvalidError(
                "The message cannot be authorised as it was sent; see the fields.", fields=fields
            )


@dataclass(frozen=True, slots=True)
class Message:
    """An authorised message.

    `status` is `authorised` or the last outcome (`denied` only in rows of older versions). A repeat that was
    refused changes nothing here, see `RefusedRepeat`: the message may have been handed over the first time.
    """

    message_id: str
    message_ref: str
    subject_ref: str
    point_ref: str | None
    purpose: str
    channel: str
    message_class: str
    commercial: bool
    topic: str | None
    campaign: str | None
    screening_id: str | None
    decision_id: str
    status: str
    hand_over_by: datetime
    authorised_at: datetime
    event_id: str

    def document(self) -> dict[str, Any]:
        """The message as the history shows it."""
        return {
            "id": self.message_ref,
            "message_id": self.message_id,
            "channel": self.channel,
            "message_class": self.message_class,
            "purpose": self.purpose,
            "topic": self.topic,
            "campaign": self.campaign,
            "screening": self.screening_id,
            "contact_point": self.point_ref,
            "decision_id": self.decision_id,
            "status": self.status,
            "authorised_at": wire(self.authorised_at),
        }


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """What became of a message, as it was reported."""

    message_ref: str
    outcome_id: str
    outcome: str
    bounce: str | None
    occurred_at: datetime
    recorded_at: datetime
    event_id: str

    def document(self) -> dict[str, Any]:
        """The outcome as the history shows it."""
        return {"outcome": self.outcome, "bounce": self.bounce, "occurred_at": wire(self.occurred_at)}


@dataclass(frozen=True, slots=True)
class RefusedRepeat:
    """Somebody asked again about a message that had been authorised, and was refused."""

    message_ref: str
    decision_id: str
    refused_at: datetime
    event_id: str

    def document(self) -> dict[str, Any]:
        """The refusal as the history shows it."""
        return {"decision_id": self.decision_id, "refused_at": wire(self.refused_at)}


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What came of asking to hand a message over.

    Denied: `message` is None, an event was recorded, and the edge commits it and answers 403 with the
    decision.
    `headers` are those that the message must carry (RFC 8058), empty where none are due. `repeat`: the
    message was authorised before; whoever has handed it over must not do so again.
    """

    record: DecisionRecord
    message: Message | None = None
    contact_point: PermittedPoint | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeat: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the message may be handed over."""
        return self.message is not None

    def document(self) -> dict[str, Any]:
        """The answer of `POST /v1/communications` (api.md §6)."""
        message = self.message
        return {
            "id": None if message is None else message.message_ref,
            "message_id": None if message is None else message.message_id,
            "decision": self.record.answer(),
            "contact_point": None if self.contact_point is None else self.contact_point.document(),
            "hand_over_by": None if message is None else wire(message.hand_over_by),
            "headers": dict(self.headers),
            "repeat": self.repeat,
        }


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What a sender reports. `bounce` goes with `bounced` only; without it a bounce counts as soft."""

    outcome: str
    bounce: str | None = None
    occurred_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what is no outcome."""
        fields: dict[str, list[str]] = {}
        if self.outcome not in OUTCOMES:
            fields["outcome"] = [f"Give one of {', '.join(OUTCOMES)}."]
        if self.bounce is not None and (self.outcome != "bounced" or self.bounce not in BOUNCES):
            fields["bounce"] = ["Give hard or soft, and only with the outcome bounced."]
        if fields:
            raise InvalidError("The outcome cannot be recorded; see the fields.", fields=fields)


@dataclass(frozen=True, slots=True)
class OutcomeTaken:
    """What came of a report: `kept` False where it watches a person without permission and was dropped.

    `consequences` are codes of what followed: `contact-point-undeliverable`, `suppressed-undeliverable`,
    `marketing-objection`, `consent-withdrawn`, `slot-given-back`.
    """

    message: Message
    outcome: str
    kept: bool
    because: str
    consequences: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The answer of `POST /v1/communications/{id}/outcomes`."""
        return {
            "id": self.message.message_ref,
            "outcome": self.outcome,
            "kept": self.kept,
            "because": self.because,
            "consequences": list(self.consequences),
        }
