"""An import that kills itself at a named line: `python -m tests.promises.crashing_import POINT import …`.

`seeded bug` is an import with a fault: it commits a batch's rows first and its position afterwards, and dies
between the two.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from governance.commands import main
from governance.imports import service, store, taking
from governance.vault.service import Vault

IN_BATCH = 2


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: Any, name: str, times: int = 1) -> None:
    """Die when the function has returned for so many a time."""
    _patch(owner, name, times, before=False)


def before(owner: Any, name: str, times: int = 1) -> None:
    """Die when the function is called for so many a time."""
    _patch(owner, name, times, before=True)


def _patch(owner: Any, name: str, times: int, *, before: bool) -> None:
    real: Callable[..., Any] = getattr(owner, name)
    left = [times]

    def patched(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if before and left[0] == 0:
            die()
        result = real(*arguments, **named)
        if left[0] == 0:
            die()
        return result

    setattr(owner, name, patched)


def keep_position_later() -> None:
    """Let a batch forget to write its position; die when the next one would do it."""
    real = store.update

    def forgetful(connection: Any, tenant_id: str, import_id: str, values: dict[str, Any]) -> None:
        if values.get("position") == service.BATCH * IN_BATCH:
            return
        real(connection, tenant_id, import_id, values)

    store.update = forgetful
    before(service, "take", IN_BATCH + 1)


POINTS: dict[str, Callable[[], None]] = {
    "begun, before the commit": lambda: after(service, "begin"),
    "begun, after the commit": lambda: before(service, "take"),
    "keys made, rows not": lambda: after(Vault, "ensure_keys", IN_BATCH),
    "rows written, position not": lambda: after(taking, "_try", IN_BATCH),
    "position written, before the commit": lambda: after(service, "take", IN_BATCH),
    "batch committed": lambda: before(service, "take", IN_BATCH + 1),
    "last batch committed": lambda: before(service, "end"),
    "ended, before the commit": lambda: after(service, "end"),
    "ended, after the commit": lambda: before(service, "errors"),
    "seeded bug": keep_position_later,
}

if __name__ == "__main__":
    POINTS[sys.argv[1]]()
    main(sys.argv[2:])
