"""What retention knows of a person, kept for the time when the person's own row is blank. Pure.

An erasure takes it down when it begins: from then on the days until which something is kept are reckoned from
it, from what is told of the relationship later, and from the schedules in force on the day of asking.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from governance.errors import InvalidError
from governance.subjects.relations import EVENT_EFFECTS

ENDINGS = (
    "contract_ended",
    "subscription_ended",
    "purchase",
    "invoice_closed",
    "warranty_closed",
    "complaint_closed",
)
"""What can still be told of somebody who is erased: what ended, and the last purchase."""

IN_FORCE = "in_force"
_ENDED = {"contract_state": "ended", "subscription_state": "ended"}


@dataclass(frozen=True, slots=True)
class ConsentSpan:
    """Whether any consent of a person is in force, and when the last one ended."""

    in_force: bool = False
    ended_at: datetime | None = None


NO_CONSENT = ConsentSpan()


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts about a person that schedules and holds ask for, by the names that they have in the row."""

    subject_ref: str
    country: str | None
    region: str | None
    stage_relationship: str | None
    acquired_at: datetime | None
    created_at: datetime
    last_purchase_at: datetime | None
    last_inquiry_at: datetime | None
    last_contact_at: datetime | None
    contract_state: str
    contract_ended_at: datetime | None
    subscription_state: str
    subscription_ended_at: datetime | None
    invoice_open: bool
    warranty_open: bool
    dispute_open: bool
    restricted: bool
    consent_in_force: bool = False
    consent_ended_at: datetime | None = None

    def __repr__(self) -> str:
        """Say whose, and nothing of what."""
        return f"Standing({self.subject_ref})"

    @property
    def consents(self) -> ConsentSpan:
        """Whether a consent was in force, and when the last one ended."""
        return ConsentSpan(self.consent_in_force, self.consent_ended_at)

    @property
    def last_seen(self) -> datetime:
        """The last sign of life."""
        seen = (self.acquired_at, self.last_contact_at, self.last_inquiry_at, self.last_purchase_at)
        return max([self.created_at, *(at for at in seen if at is not None)])

    @property
    def in_force(self) -> bool:
        """Whether a contract or subscription brings new data about at any time."""
        return IN_FORCE in (self.contract_state, self.subscription_state)

    def after(self, event: str, occurred_at: datetime) -> "Standing":
        """What is known once this is told; InvalidError for what does not end anything."""
        if event not in ENDINGS:
            complaint = f"Of somebody who is erased this can still be told: {', '.join(ENDINGS)}."
            raise InvalidError(complaint, fields={"event": [complaint]})
        effect = EVENT_EFFECTS[event]
        changed: dict[str, Any] = {}
        if effect.track is not None:
            changed[effect.track] = _ENDED.get(effect.track, False)
        if effect.anchor is not None:
            before = getattr(self, effect.anchor)
            changed[effect.anchor] = max(occurred_at, before or occurred_at)
        return replace(self, **changed)

    def document(self) -> dict[str, Any]:
        """What is sealed."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Standing":
        """Read what `document` gave."""
        values: dict[str, Any] = {each.name: document[each.name] for each in fields(cls)}
        for name, value in values.items():
            if name.endswith("_at") and value is not None:
                values[name] = datetime.fromisoformat(value)
        return cls(**values)
