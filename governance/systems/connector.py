"""What a connector is: the small interface behind which every kind of system looks the same.

A new kind is one module with one class, named under the entry point group `governance.connectors`. All verbs
but `probe` take an operation id in their context and may be repeated under it, also after a kill at any line:
the second time finds the work done and says so. No verb runs inside a transaction of this service.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from governance.systems.findings import Report
from governance.systems.model import (
    Change,
    Disposal,
    ErasurePlan,
    Outcome,
    Received,
    StepOutcome,
    SubjectKeys,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A config that is to be checked: the plain members, the secret ones, and the words it may use.

    `allow`: what the operator lets systems connect to (`host:port` or a folder); `own`: database URLs of this
    very service, which no system may name. `country`: that of the system, if known.
    """

    config: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    data_classes: frozenset[str]
    country: str | None = None
    allow: frozenset[str] = frozenset()
    own: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: complaints by path (`tables.contact.keys`), and the mapped data classes."""

    complaints: Mapping[str, list[str]]
    data_classes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Context:
    """One operation on one system.

    `remember` keeps the steps that are about to be made, before anything changes at the far side: should the
    process die after that, the repeat finds nothing left to do (`Outcome.changed` False) and these steps are
    what it reports. `pseudonym` stands in place of the person, always the same for one person in one system.
    `callback_url`: where the far side may report to. `data_classes`: those that the system is said to hold.
    `attempts`: how often this operation was tried before.
    """

    tenant_id: str
    system_id: str
    operation_id: str
    now: datetime
    draft: Draft
    pseudonym: str
    data_classes: tuple[str, ...] = ()
    resources: Mapping[type, object] = field(default_factory=dict, repr=False)
    callback_url: str = ""
    attempts: int = 0
    remember: Callable[[Sequence[StepOutcome]], None] = lambda steps: None


class Problem(Exception):
    """A system cannot do what is asked; the sentence says what to put right, without secrets or persons.

    `transient`: worth trying again; `unsupported`: as it is set up it cannot be asked that at all.
    """

    def __init__(self, sentence: str, *, transient: bool = False, unsupported: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.transient = transient
        self.unsupported = unsupported


class Connector(Protocol):
    """One kind of system. Verbs answer with outcomes; what goes wrong is an outcome too, never raised."""

    secret_members: tuple[str, ...]
    """Top-level members of the config that are sealed and never shown again."""

    def check(self, draft: Draft) -> Checked:
        """Check a config without connecting anywhere."""

    def probe(self, context: Context) -> Report:
        """Try the connection and the mapping; changes nothing."""

    def count(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Count a person's rows by table (`Outcome.counts`); zero everywhere after a whole erasure."""

    def look(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Look a second time, some days after an erasure, where nobody can count (`Outcome.steps`: what was
        there again)."""

    def collect(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Read all that is held about a person (`Outcome.items`)."""

    def erase(self, context: Context, keys: SubjectKeys, plan: ErasurePlan) -> Outcome:
        """Carry a plan out, all or nothing, and read again what is left (`Outcome.steps`)."""

    def correct(self, context: Context, keys: SubjectKeys, changes: Sequence[Change]) -> Outcome:
        """Put values right (GDPR Art. 16, 19)."""

    def restrict(self, context: Context, keys: SubjectKeys, on: bool) -> Outcome:
        """Set or lift the mark that data may only be stored (GDPR Art. 18, 19)."""

    def dispose(self, context: Context, disposal: Disposal) -> Outcome:
        """End governed records, by their own ids (`Outcome.records`)."""

    def follow_up(self, context: Context, verb: str, reference: str) -> Outcome:
        """Ask how a request is doing that was answered with `waiting`."""

    def receive(self, context: Context, headers: Mapping[str, str], body: bytes) -> Received:
        """Read what the far side reports by itself; `headers` by lower-case name. Believe nothing."""
