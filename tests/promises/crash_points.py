"""Points at which a process kills itself, by number: at the n-th statement, or around the n-th commit.

They count over all databases of the process and all its threads. For processes of the tests only: nothing of
this is in the program.
"""

import os
import signal
from collections.abc import Callable
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

MOMENTS = ("statement", "before", "after")
"""When a statement was executed; before a commit; after a commit. Commits that wrote nothing do not count."""

_WRITES = ("INSERT", "UPDATE", "DELETE")


class Counter:
    """Counts what passes, and does something when the number has come."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.passed = 0
        self._number, self._act, self._lock = number, act, Lock()

    def step(self) -> bool:
        """Count one; whether it is the one."""
        with self._lock:
            self.passed += 1
            return self.passed == self._number

    def act(self) -> None:
        """Do it."""
        self._act()


def kill_myself() -> None:
    """No handler runs, nothing is flushed, no connection is closed."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str, number: int, act: Callable[[], None] = kill_myself) -> Counter:
    """Kill this process at this moment of this number; with number 0 only count."""
    counter = Counter(number, act)
    if moment == "statement":

        @sa.event.listens_for(sa.engine.Engine, "after_cursor_execute")
        def _executed(*_: Any) -> None:
            if counter.step():
                counter.act()

        return counter
    written: set[int] = set()

    @sa.event.listens_for(sa.engine.Engine, "after_cursor_execute")
    def _wrote(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip()[:6].upper() in _WRITES:
            written.add(id(connection.connection.dbapi_connection))

    real = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        wrote = id(connection.dbapi_connection) in written
        written.discard(id(connection.dbapi_connection))
        now = wrote and counter.step()
        if now and moment == "before":
            counter.act()
        real(self, connection)
        if now and moment == "after":
            counter.act()

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    return counter
