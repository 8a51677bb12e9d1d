"""One desk per database: units of work on the subjects of the tenant `acme`."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from governance.bootstrap import Runtime
from governance.events import DIGESTS
from governance.work import Snapshot, Work
from tests.conftest import ACTOR, HandClock


class Desk:
    """Opens units of work at the hand-moved clock, and keeps the events that were recorded in them."""

    def __init__(self, runtime: Runtime, clock: HandClock) -> None:
        self.runtime, self.clock = runtime, clock
        self.engine, self.vault = runtime.engine, runtime.vault
        self.recorded: list[tuple[str, dict[str, object]]] = []

    @contextmanager
    def work(self) -> Iterator[Work]:
        with self.runtime.work("acme", ACTOR) as work:
            yield work
            # Digests are looked at by `test_attesting`, and by the check after every test.
            self.recorded += [
                (each.kind, {name: fact for name, fact in each.facts.items() if name not in DIGESTS})
                for each in work.events
            ]

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self.runtime.snapshot("acme", ACTOR)

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.recorded]


@pytest.fixture
def desk(any_runtime: Runtime, clock: HandClock) -> Desk:
    return Desk(any_runtime, clock)
