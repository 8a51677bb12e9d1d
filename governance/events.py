"""The words that rooms and ledger share: who acts, and what happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Fact = str | int | bool | None | list[str]
"""A value that may stand in a ledger leaf: never personal data, never free text."""

RECORD, ROW, BARS = "record", "row", "bars"
DIGESTS = frozenset((RECORD, ROW, BARS))
"""Facts that hold keyed digests of rows: of a person's record, of one row, of bars on contact points. They
are for the check from inside alone and say nothing to anybody else."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a component, a member of staff, a job, the command line or the data subject.

    `ref` is an opaque id (`client_…`, `job:seal-checkpoint`, `cli`), never a name or an address.
    """

    ref: str
    kind: str = "component"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A personal payload, encrypted, and the commitment that the ledger leaf carries in its place.

    `commitment`: hexadecimal HMAC-SHA-256 of the payload under a random salt that lies inside `ciphertext`.
    """

    ciphertext: bytes
    commitment: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as the ledger will keep it."""

    id: str
    kind: str
    at: datetime
    actor_ref: str
    subject_ref: str | None
    facts: Mapping[str, Fact]
    sealed: Sealed | None = None


@dataclass(frozen=True, slots=True)
class Sealing:
    """Where an event came to lie in the tenant's ledger. `leaf_hash` is hexadecimal, 64 digits."""

    event_id: str
    position: int
    leaf_hash: str
