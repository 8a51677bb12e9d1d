"""Consent state and what is asked of it: values. Pure.

Reading order: `Cell` (what is known), `Question` (what is asked), `ConsentFacts` (the answer). The rules that
lead from one to the other are in `resolving`.

Empty text means *all* in a cell. A question whose topic is None or whose controller is empty has not said it.
"""

from dataclasses import dataclass
from datetime import datetime

ALL = ""
"""In a cell: every purpose, controller, channel, topic; for a point: every one (no) or none (yes)."""

SALE_SHARING = "sale_sharing"
"""The purpose that a Global Privacy Control signal objects to (sale or sharing of personal data)."""

LIMIT_SENSITIVE = "limit_sensitive"
"""The purpose that a request to limit the use of sensitive data objects to."""

OUTSIDE_CATALOGUE = frozenset({SALE_SHARING, LIMIT_SENSITIVE})
"""Purposes that a no may name though no catalogue needs to have them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a person's consent state: the standing no and the standing yes at one place.

    `neg_status`: withdrawn | refused | marketing | purpose | profiling | all | undeliverable;
    `neg_seq` and `neg_at` are the greatest of all noes of the cell, so that a yes must be later than each.
    `pos_status`: granted | requested | unproven.
    """

    purpose: str
    controller: str
    channel: str
    topic: str
    point_ref: str
    kind: str
    neg_status: str | None = None
    neg_seq: int | None = None
    neg_at: datetime | None = None
    neg_event_id: str | None = None
    pos_status: str | None = None
    pos_seq: int | None = None
    pos_at: datetime | None = None
    pos_by_person: bool = False
    pos_expires_at: datetime | None = None
    pos_event_id: str | None = None

    @property
    def place(self) -> tuple[str, str, str, str, str, str]:
        """The cell's key within the person."""
        return (self.purpose, self.controller, self.channel, self.topic, self.point_ref, self.kind)


@dataclass(frozen=True, slots=True)
class PointBar:
    """An unreleased suppression of a contact point, whoever uses it.

    `scope`: marketing | all | undeliverable, or `purpose` (left behind by a withdrawal of
    `origin_subject_ref`).
    """

    scope: str
    purpose: str = ALL
    controller: str = ALL
    channel: str = ALL
    topic: str = ALL
    origin_subject_ref: str | None = None
    recorded_at: datetime | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: may this person be reached for this purpose on this channel (and contact point)?

    `channel` is empty where none is involved (use of data); `point_ref` is None where no point is known.
    """

    purpose: str
    controller: str = ALL
    channel: str = ALL
    topic: str | None = None
    point_ref: str | None = None
    subject_ref: str = ""


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """What the state says about one question.

    `status`: none | requested | granted | refused | withdrawn | expired | unproven; `since`: when that was
    said.
    `age_anchor`: when the grant was given (status granted or expired only). `objection`: none | marketing |
    purpose | profiling.
    `pending_request`: the person's own sign-up waits for its confirmation, whatever `status` says.
    `guardian`: a guardian's grant stands. `night`: a consent to the night stands, apart from `status`.
    `event_ids`: the events that the answer rests on.
    """

    status: str = "none"
    since: datetime | None = None
    age_anchor: datetime | None = None
    expires_at: datetime | None = None
    objection: str = "none"
    suppressed_marketing: bool = False
    suppressed_all: bool = False
    undeliverable: bool = False
    pending_request: bool = False
    guardian: bool = False
    night: bool = False
    grant_event_id: str | None = None
    event_ids: tuple[str, ...] = ()


NOTHING = ConsentFacts()
"""The facts of a person about whom nothing is recorded."""
