"""Transfer mechanisms, flows and the question whether data may leave a country. Pure.

A mechanism covers a transfer by its scope: recipients, destinations and data classes, where an empty list
means any. What a question is decided on, `governance.transfers.situations` says.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

ACTION = "data.transfer"

ADEQUACY = "adequacy"
KINDS = (
    ADEQUACY,
    "scc",
    "bcr",
    "dpf",
    "derogation",
    "localisation-exception",
    "certification",
    "authorisation",
)
"""What a mechanism may be: the contract's kinds, and two that some laws know besides."""

TO_PERSON = "person"
RECIPIENT_KINDS = (
    "commercial",
    "public",
    "public_security",
    "non_profit",
    "religious",
    "political",
    TO_PERSON,
)

ORDINARY, OPT_OUT, ERASURE, ANSWER = "ordinary", "opt_out", "erasure", "answer"
ERRANDS = (ORDINARY, OPT_OUT, ERASURE, ANSWER)
"""What is sent. Opt-outs, orders to erase or restrict, and answers to the person always go."""

ERRAND_CLASSES = frozenset({"identification", "contact_details", "preferences", "suppressions"})
"""What an errand may carry: who is meant, and what is said. Only the person herself is answered with more."""

WHO_IS_MEANT = frozenset({"identification", "contact_details"})
"""What an order to erase may carry of somebody who was erased here: only so much that it can be obeyed."""

BEYOND_FLOW, BEYOND_ERRAND = "flow", "errand"
"""What a transfer may go beyond: the flow that was declared to its recipient, or what its errand carries."""

INSIDE, OUT, BACK = "inside", "out", "back"

IN_FORCE = "in_force"
SUSPENDED, EXPIRED, UNASSESSED, NOT_YET = "suspended", "expired", "unassessed", "not_yet"
STATES = (IN_FORCE, SUSPENDED, EXPIRED, UNASSESSED, NOT_YET)
UNCONSENTED = "unconsented"
"""Beside STATES: in force, but not for a person who has not consented to it."""

CONSENT_PURPOSE = "transfer_abroad"
"""What people consent to where a mechanism of consent names no purpose of its own."""

ACTIVE, FALLBACK, STOPPED = "active", "fallback", "stopped"
FLOW_STATES = (ACTIVE, FALLBACK, STOPPED)
"""A flow goes on its first mechanism (or needs none), on a later one, or not at all."""


EVERYBODY, PLACELESS, GONE = "*", "?", "-"
ALL_OF = (EVERYBODY, PLACELESS, GONE)
"""Counted beside the people of each country: everybody, those whose country is not recorded, and those who
were erased within twelve months, of whom it no longer is."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """What a transfer may rest on.

    `instruments` say what it is in the laws that it serves (catalogue of transfer instruments); those in
    `unassessed` do not count because the assessment that they need is not referred to. `owner` and
    `assessment_reference` are opaque codes. `suspended_at`: when the kill switch was thrown.
    `consent_purpose`: what a person must have consented to where it is consent. `lacks_consent` is said of a
    person and never stored.
    """

    mechanism_id: str
    version: int
    kind: str
    instruments: tuple[str, ...]
    recipients: tuple[str, ...]
    destinations: tuple[str, ...]
    data_classes: tuple[str, ...]
    valid_from: datetime
    expires_at: datetime | None
    owner: str | None
    assessment_reference: str | None
    suspended_at: datetime | None
    unassessed: tuple[str, ...] = ()
    consent_purpose: str | None = None
    lacks_consent: bool = False

    def of(self, person: "Person", consents: Collection[str]) -> "Mechanism":
        """What it is for one person: without the instruments (`consents`) that their consent would make."""
        if self.consent_purpose in person.consented or not frozenset(self.instruments) & frozenset(consents):
            return self
        kept = tuple(each for each in self.instruments if each not in consents)
        return replace(self, instruments=kept, lacks_consent=True)

    def state(self, now: datetime) -> str:
        """One of STATES; of `of` a person also UNCONSENTED."""
        if self.suspended_at is not None:
            return SUSPENDED
        if self.expires_at is not None and self.expires_at <= now:
            return EXPIRED
        if self.valid_from > now:
            return NOT_YET
        if self.counts:
            return IN_FORCE
        return UNCONSENTED if self.lacks_consent else UNASSESSED

    @property
    def counts(self) -> frozenset[str]:
        """The instruments that count, once the mechanism is in force."""
        return frozenset(self.instruments) - frozenset(self.unassessed)

    def reaches(self, destination: str | None, recipient: str | None) -> bool:
        """Whether a recipient lies in the scope; one who is not named lies only in a scope without names."""
        if self.destinations and destination not in self.destinations:
            return False
        return not self.recipients or recipient in self.recipients

    def covers(
        self, destination: str | None, recipient: str | None, data_classes: Collection[str] | None
    ) -> bool:
        """Whether a transfer lies in the scope; data not named lie only in a scope without classes."""
        if not self.reaches(destination, recipient):
            return False
        return not self.data_classes or (
            bool(data_classes) and frozenset(data_classes or ()) <= frozenset(self.data_classes)
        )


STORED = tuple(name for name in Mechanism.__slots__ if name != "lacks_consent")
"""What is stored of a mechanism."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A transfer that happens again and again; `mechanisms` in the order in which they carry it.

    `people_per_year`: how many people are concerned beyond those whom this service knows.
    """

    flow_id: str
    version: int
    origin: str
    destination: str
    recipient: str
    recipient_kind: str | None
    data_classes: tuple[str, ...]
    mechanisms: tuple[str, ...]
    people_per_year: int = 0

    def serves(self, question: "Question") -> bool:
        """Whether what is asked about goes to where this flow goes, whatever else is said of it."""
        return question.destination == self.destination and question.recipient in (None, self.recipient)

    def carries(self, question: "Question") -> bool:
        """Whether what is asked about is part of this flow: it is no wider than what was declared.

        Data of classes that are not named may be of any, and no flow carries that.
        """
        kinds = (None, self.recipient_kind)
        return (
            self.serves(question)
            and question.names_only(self.data_classes)
            and question.origin in (None, self.origin)
            and (self.recipient_kind is None or question.recipient_kind in kinds)
        )


@dataclass(frozen=True, slots=True)
class Question:
    """May data go to a destination? Members that are None were not said, which never helps.

    `replaces`: the recipient has these data and gets right values in the place of wrong ones; never said by
    whoever asks over HTTP.
    """

    destination: str | None
    recipient: str | None = None
    data_classes: frozenset[str] | None = None
    origin: str | None = None
    recipient_kind: str | None = None
    errand: str = ORDINARY
    replaces: bool = False

    def names_only(self, carried: Collection[str]) -> bool:
        """Whether it names data classes, and none but these."""
        return bool(self.data_classes) and (self.data_classes or frozenset()) <= frozenset(carried)

    def beyond_errand(self, person: "Person") -> bool:
        """Whether more would go than an errand carries.

        An answer that goes to the person herself (`recipient_kind` person, nobody else named, to where she
        lives as far as that is recorded) carries all her data, and one that replaces what is there does too.
        """
        if self.errand == ORDINARY or self.names_only(ERRAND_CLASSES):
            return False
        if self.errand == ANSWER and self.replaces:
            return False
        to_person = self.recipient_kind == TO_PERSON and self.recipient is None
        at_home = person.country in (None, self.destination)
        return not (self.errand == ANSWER and to_person and at_home)

    def document(self) -> dict[str, Any]:
        """The question as it is logged: codes only."""
        said: dict[str, Any] = {
            "destination": self.destination,
            "recipient": self.recipient,
            "data_classes": None if self.data_classes is None else sorted(self.data_classes),
            "origin": self.origin,
            "recipient_kind": self.recipient_kind,
            "errand": self.errand,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Person:
    """What the gate knows of the person whose data are to go; `known` is False if there is no such person.

    `consented`: the purposes to which a consent of the person stands, of those that mechanisms name.
    """

    known: bool
    subject_ref: str | None = None
    country: str | None = None
    region: str | None = None
    restricted: bool = False
    erasure_pending: bool = False
    erased: bool = False
    consented: frozenset[str] = frozenset()

    @classmethod
    def living_in(cls, country: str | None) -> "Person":
        """Somebody in good standing: for questions about nobody in particular."""
        return cls(True, country=country)


@dataclass(frozen=True, slots=True)
class Register:
    """Mechanisms and flows as one snapshot sees them; `people` per country, where counted, and in ALL_OF.

    `consents`: the instruments that are consent of the person.
    """

    mechanisms: Mapping[str, Mechanism] = field(default_factory=dict)
    flows: Sequence[Flow] = ()
    people: Mapping[str, int] = field(default_factory=dict)
    tenant_country: str | None = None
    consents: frozenset[str] = frozenset()

    @property
    def consent_purposes(self) -> frozenset[str]:
        """What people may have consented to, as mechanisms of consent name it."""
        named = (each.consent_purpose for each in self.mechanisms.values())
        return frozenset(each for each in named if each is not None)
