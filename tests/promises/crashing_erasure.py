"""What a process of `test_kill_erasure` does: erase, and be killed at a chosen statement there."""

import os
import signal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from governance.bootstrap import assemble
from governance.settings import Settings
from governance.systems import operations
from governance.systems.model import ErasurePlan, Outcome
from governance.systems.operations import Operation
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm


def erase(settings: Settings, operation_id: str) -> Outcome:
    """Erase Anna in the system `crm`."""
    runtime = assemble(settings, clock=HandClock())
    try:
        plan = ErasurePlan.delete(crm.DATA_CLASSES)
        return operations.run(runtime, ACTOR, "acme", Operation(operation_id, "crm", "erase", crm.ANNA, plan))
    finally:
        runtime.close()


def is_far(connection: sa.Connection) -> bool:
    """Whether a connection leads to a system: those are never kept in a pool."""
    return isinstance(connection.engine.pool, NullPool)


def die_at(settings: Settings, operation_id: str, point: str | int) -> None:
    """Erase, and be killed at a point at the far side.

    `point`: before the first statement that begins so; `commit`: before the commit; `after commit`; or before
    the statement (or commit) of this number. Questions about the schema are not counted.
    """
    seen, committed = 0, False

    def reach(word: str) -> None:
        nonlocal seen, committed
        named = isinstance(point, str) and word.startswith(point)
        if named or seen == point or (committed and point == "after commit"):
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        committed |= word == "commit"

    def statement(connection: sa.Connection, _cursor: Any, text: str, *_: Any) -> None:
        about_rows = text.startswith(("DELETE", "UPDATE", "SELECT"))
        if is_far(connection) and about_rows and "_catalog" not in text and "sqlite_master" not in text:
            reach(text)

    def commit(connection: sa.Connection) -> None:
        if is_far(connection):
            reach("commit")

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", statement)
    sa.event.listen(sa.engine.Engine, "commit", commit)
    erase(settings, operation_id)


def half_commit(settings: Settings, operation_id: str) -> None:
    """The seeded bug: every statement is committed by itself; then killed before the contact is deleted."""

    def commit(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if is_far(connection) and statement.startswith("DELETE"):
            connection.connection.commit()

    def die(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if is_far(connection) and statement.startswith("DELETE FROM contact"):
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.engine.Engine, "after_cursor_execute", commit)
    sa.event.listen(sa.engine.Engine, "before_cursor_execute", die)
    erase(settings, operation_id)
