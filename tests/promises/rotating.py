"""Rotates keys for ever, epoch after epoch: `python -m tests.promises.rotating [MOMENT NUMBER]`.

Says `ready` when it begins. With a moment (see `crash_points`) it kills itself there.
"""

import os
import sys
from datetime import timedelta

from governance.clock import system_clock
from governance.settings import Settings
from governance.vault import rotation
from governance.vault.service import Vault
from tests.promises import crash_points


def main(arguments: list[str]) -> None:
    vault = Vault.open(Settings.from_environ(os.environ))
    if arguments:
        crash_points.arm(arguments[0], int(arguments[1]))
    print("ready", flush=True)
    while True:
        rotation.open_due_epoch(vault._keys, system_clock(), timedelta(0))
        while vault.rewrap(limit=20):
            pass
        vault.destroy_old_epochs()


if __name__ == "__main__":
    main(sys.argv[1:])
