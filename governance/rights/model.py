"""A data-subject request: its types, states and what is known of it. Pure; read this first.

Three questions are kept apart. *Who asks?* is answered by identities, each proved on its own (`states`).
*What is due when?* by the clock of one regime (`clocks`, `regimes`). *What happens?* by the type: opt-outs,
objections and withdrawals act on receipt for the identifier given; everything that discloses, corrects or
deletes waits for proof.
"""

from dataclasses import dataclass
from datetime import date, datetime

ACCESS, ERASURE, RECTIFICATION, RESTRICTION = "access", "erasure", "rectification", "restriction"
PORTABILITY, OBJECTION, OPT_OUT_OF_SALE = "portability", "objection", "opt_out_of_sale"
LIMIT_SENSITIVE, WITHDRAW_CONSENT, HUMAN_REVIEW = "limit_sensitive", "withdraw_consent", "human_review"
APPEAL, COMPLAINT = "appeal", "complaint"
TYPES = (
    ACCESS,
    ERASURE,
    RECTIFICATION,
    RESTRICTION,
    PORTABILITY,
    OBJECTION,
    OPT_OUT_OF_SALE,
    LIMIT_SENSITIVE,
    WITHDRAW_CONSENT,
    HUMAN_REVIEW,
    APPEAL,
    COMPLAINT,
)
ACT_ON_RECEIPT = frozenset({OBJECTION, OPT_OUT_OF_SALE, LIMIT_SENSITIVE, WITHDRAW_CONSENT})
"""Types that only ever make less be done with data: they act at once, whoever asks."""

NEED_PROOF = frozenset({ACCESS, ERASURE, RECTIFICATION, RESTRICTION, PORTABILITY, HUMAN_REVIEW})
"""Types that disclose, correct, delete or lock away data: nothing happens before the person is proved."""

RECEIVED, VERIFYING, VERIFIED = "received", "verifying", "verified"
IN_PROGRESS, WAITING = "in_progress", "waiting"
FULFILLED, PARTLY_FULFILLED, REFUSED = "fulfilled", "partly_fulfilled", "refused"
WITHDRAWN, EXPIRED = "withdrawn", "expired"
NOT_ME = "not-me"
"""Outcome of a request that whoever holds the address did not make."""
OPEN_STATES = (RECEIVED, VERIFYING, VERIFIED, IN_PROGRESS, WAITING)
CLOSED_STATES = (FULFILLED, PARTLY_FULFILLED, REFUSED, WITHDRAWN, EXPIRED)
STATES = (*OPEN_STATES, *CLOSED_STATES)
ANSWERED = (FULFILLED, PARTLY_FULFILLED)
REOPENABLE = (REFUSED, PARTLY_FULFILLED)
"""What an appeal is possible against, and a granted one opens again: a refusal, whole or in part."""

ABOUT_AN_ANSWER = (APPEAL, COMPLAINT)
"""Types that may be about an answer to an earlier request."""

GRANTED = ("granted", "partly_granted")
"""Outcomes of an appeal or complaint that opened a request again."""

BEHALVES = ("authorised_agent", "guardian")
"""In what capacity somebody may ask for another."""

CHANNELS = ("api", "web_form", "email", "phone", "post", "in_person", "chat", "app", "opendsr")
"""How a request came in."""

SAID_CHANNELS = CHANNELS[:-1]
"""What a component may say of it: the last is taken by the door of OpenDSR alone, for no letters follow."""

PROOFS = ("code", "link", "account", "staff")
"""How an identity is proved: a code or link sent to an address on file, a session in the person's own
account, a check by staff with evidence.
"""

BY_ADDRESS = PROOFS[:2]
"""Proofs that show who reads what goes to an address."""

CONTROLLER = "controller"
"""Another proof, never chosen over HTTP: the controller for whom we process sent the request by OpenDSR, and
has to validate requests before it does.
"""

OPENDSR = "opendsr"
"""The channel of requests that another controller sends: it is that controller who writes to the person."""


LATE_ACKNOWLEDGEMENT = 1 << 8
"""In `Request.reminded`: a missed acknowledgement was noted. The lower bits are the reminders given."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One identifier that a request names. `kind`: id (the CRM's own), email or phone.

    `state`: open | challenged | verified | dropped. `subject_ref`: whom it was settled to mean. `shared`: it
    reaches several people, so that holding it does not say which of them asks. `challenge` counts the codes
    sent; `attempts` the wrong answers to the last.
    """

    request_id: str
    identity_id: str
    kind: str
    value_sealed: bytes | None
    blind_index: str | None
    suppression_hash: str | None
    state: str
    subject_ref: str | None = None
    shared: bool = False
    point_ref: str | None = None
    proof: str | None = None
    challenge: int = 0
    attempts: int = 0
    challenge_expires_at: datetime | None = None
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is kept. What the person wrote lies in `content_sealed`, under the request's own key.

    `zone` and `holidays_of`: where its days begin and end. `authority`: asked | accepted | rejected, for one
    who asks for another. `waits_for`: a code of what it waits for. `outcome`: the code it was closed with.
    `opened_by` acted when it was taken in; `owner` sees to it, by an opaque id. `appeal_of`: the request
    that an appeal or a complaint is about. `reopened_at`: when one of those opened it again last.
    """

    request_id: str
    type: str
    state: str
    regime: str
    regime_given: bool
    country: str | None
    region: str | None
    zone: str
    holidays_of: str | None
    language: str
    channel: str
    received_at: datetime
    recorded_at: datetime
    content_sealed: bytes | None
    behalf: str | None
    authority: str | None
    appeal_of: str | None
    duplicate_of: str | None
    waits_for: str | None
    outcome: str | None
    matched_at: datetime | None
    acted_at: datetime | None
    verified_at: datetime | None
    acknowledged_at: datetime | None
    closed_at: datetime | None
    acknowledge_by: datetime | None
    due_at: datetime
    proof_until: datetime | None
    reminded: int
    overdue_at: datetime | None
    event_id: str
    opened_by: str | None = None
    owner: str | None = None
    reopened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Somebody whom an identity may mean. `state`: proposed | confirmed | rejected."""

    request_id: str
    identity_id: str
    subject_ref: str
    state: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter of a request: what it is and where it goes; text and address are sealed."""

    request_id: str
    letter_id: str
    kind: str
    language: str
    identity_id: str | None
    content_sealed: bytes | None
    written_at: datetime
    sent_at: datetime | None
    event_id: str


@dataclass(frozen=True, slots=True)
class StoredAsk:
    """What a person was asked for: see `clocks.Ask`."""

    request_id: str
    ask_id: str
    reason: str
    asked_at: datetime
    answered_at: datetime | None
    event_id: str


@dataclass(frozen=True, slots=True)
class StoredExtension:
    """An extension that was announced: see `clocks.Extended`."""

    request_id: str
    extension_id: str
    at: datetime
    until: date | None
    event_id: str


@dataclass(frozen=True, slots=True)
class Reopening:
    """That a request was opened again because an appeal or complaint (`appeal_id`) was granted.

    `partly`: for a part only, which staff see to. The rest is the answer that it took the place of.
    """

    request_id: str
    appeal_id: str
    at: datetime
    partly: bool
    state: str
    outcome: str | None
    closed_at: datetime
    due_at: datetime
    event_id: str
