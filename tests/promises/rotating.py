"""Rotates keys for ever, epoch after epoch: `python -m tests.promises.rotating [MOMENT NUMBER]`.

Says `ready` when it begins. With a moment it kills itself there: at the n-th `statement` on the keyring, or
`before` or `after` the n-th commit.
"""

import os
import signal
import sys
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from governance.clock import system_clock
from governance.settings import Settings
from governance.vault import rotation
from governance.vault.service import Vault


def die_at(moment: str, number: int) -> None:
    """Arrange for this process to be killed at its n-th statement, or around its n-th commit."""
    left = [number]

    def step() -> bool:
        left[0] -= 1
        return left[0] == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "statement":

        @sa.event.listens_for(sa.engine.Engine, "after_cursor_execute")
        def _executed(*_: Any) -> None:
            if step():
                die()

        return
    real = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        now = step()
        if now and moment == "before":
            die()
        real(self, connection)
        if now:
            die()

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def main(arguments: list[str]) -> None:
    vault = Vault.open(Settings.from_environ(os.environ))
    if arguments:
        die_at(arguments[0], int(arguments[1]))
    print("ready", flush=True)
    while True:
        rotation.open_due_epoch(vault._keys, system_clock(), timedelta(0))
        while vault.rewrap(limit=20):
            pass
        vault.destroy_old_epochs()


if __name__ == "__main__":
    main(sys.argv[1:])
