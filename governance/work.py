"""One transaction, at one instant, by one actor, for one tenant."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.engine import Connection

from governance.clock import Clock
from governance.database import Writes
from governance.errors import UnrecordedWriteError
from governance.events import Actor, Event, Fact, Sealed, Sealing
from governance.ids import IdMaker, new_secret, system_ids

Resource = TypeVar("Resource")


@dataclass(slots=True)
class Snapshot:
    """A consistent view of one tenant's data: whatever is read through it was true at one moment."""

    connection: Connection
    tenant_id: str
    tenant_ref: str
    now: datetime
    actor: Actor
    ids: IdMaker = system_ids
    resources: Mapping[type, object] = field(default_factory=dict)

    def resource(self, kind: type[Resource]) -> Resource:
        """Give the one long-lived thing of this kind that the process was built with."""
        thing = self.resources[kind]
        assert isinstance(thing, kind)
        return thing

    def new_id(self, prefix: str) -> str:
        """Make an id for something that is born in this unit of work."""
        return self.ids(prefix, self.now)

    def new_secret(self) -> str:
        """Make a secret of 256 bits (confirmation tokens, links)."""
        return new_secret()


@dataclass(frozen=True, slots=True)
class Mark:
    """How much a unit of work had recorded and touched at some point."""

    events: int
    touched: tuple[str, ...]


@dataclass(slots=True)
class Work(Snapshot):
    """A unit of work: what is written in it stands or falls together with the events it records.

    Whoever opens it commits it (`governance.bootstrap.Runtime.work`); services never do.
    """

    sealer: Callable[["Work"], list[Sealing]] | None = None
    writes: Writes = field(default_factory=Writes)
    events: list[Event] = field(default_factory=list)
    touched: dict[str, None] = field(default_factory=dict)
    sealings: dict[str, Sealing] = field(default_factory=dict)

    def record(
        self,
        kind: str,
        *,
        subject_ref: str | None = None,
        facts: Mapping[str, Fact] | None = None,
        sealed: Sealed | None = None,
        event_id: str | None = None,
    ) -> Event:
        """Say what happened. The event enters the ledger when the work is sealed, in this transaction.

        `kind` is `<room>.<past participle>`; `facts` hold ids, codes and counts, never personal data;
        what is personal is in `sealed` (see `governance.vault.service`).
        """
        event = Event(
            id=event_id or self.new_id("evt"),
            kind=kind,
            at=self.now,
            actor_ref=self.actor.ref,
            subject_ref=subject_ref,
            facts=dict(facts or {}),
            sealed=sealed,
        )
        self.events.append(event)
        return event

    def touch(self, *subject_refs: str) -> None:
        """Say that the record of these people changes here: the seal attests what it has come to.

        Whoever says so holds their locks (`subjects.service.lock`), lest another transaction is between.
        """
        self.touched.update(dict.fromkeys(subject_refs))

    def add_facts(self, event_id: str, facts: Mapping[str, Fact]) -> None:
        """Let an event that was recorded here and is not sealed yet carry more facts."""
        for number in range(len(self.events) - 1, -1, -1):
            if self.events[number].id == event_id:
                event = self.events[number]
                self.events[number] = replace(event, facts={**event.facts, **facts})
                return
        raise UnrecordedWriteError("an event must be recorded before it can say more")

    def mark(self) -> Mark:
        """Where this work stands, to come back to when a savepoint is rolled back."""
        return Mark(len(self.events), tuple(self.touched))

    def rewind(self, mark: Mark) -> None:
        """Forget what was recorded and touched since the mark."""
        del self.events[mark.events :]
        self.touched = dict.fromkeys(mark.touched)

    @contextmanager
    def bookkeeping(self) -> Iterator[None]:
        """Write rows that say nothing about a person or a rule, and so need no event.

        For the progress of a run, leases, checkpoints and idempotency keys; never for domain rows.
        """
        self.writes.paused = True
        try:
            yield
        finally:
            self.writes.paused = False

    def seal(self) -> None:
        """Append the recorded events to the tenant's ledger. May be called again after further events.

        Takes the head lock: nothing that waits for another transaction may follow.
        Raises UnrecordedWriteError if rows were written and nothing was recorded.
        """
        if not self.events:
            if self.writes.count and not self.sealings:
                raise UnrecordedWriteError("rows were written without an event in the ledger")
            return
        if self.sealer is None:
            raise UnrecordedWriteError("this unit of work has no ledger to record in")
        for sealing in self.sealer(self):
            self.sealings[sealing.event_id] = sealing
        self.events = []


class Opener(Protocol):
    """What a use case needs of the runtime that takes several transactions."""

    def work(self, tenant_id: str, actor: Actor) -> AbstractContextManager[Work]:
        """Open a unit of work."""

    def snapshot(self, tenant_id: str, actor: Actor) -> AbstractContextManager[Snapshot]:
        """Open a consistent view."""


class Workplace(Opener, Protocol):
    """What a worker of the jobs needs of it as well: the clock, the tenants, and whether to stop."""

    @property
    def clock(self) -> Clock:
        """What tells the present instant."""

    def tenant_ids(self, *, active: bool = False) -> list[str]:
        """The ids of all tenants, or of those that are not suspended."""

    def heed(self) -> None:
        """Say that a batch is finished; raises if the worker is to stop."""
