"""Opens a new epoch of wrapping keys every week, wraps all keys anew and destroys the old epoch's key.

What was shredded is then beyond reach in every older copy of the keyring too. Nothing that was sealed
changes, and no read is in the way.
"""

from governance.bootstrap import Runtime


def run(runtime: Runtime) -> int:
    """Go on with the rotation where it stands; gives how many keys were wrapped anew."""
    runtime.vault.open_due_epoch(runtime.clock())
    wrapped = 0
    while step := runtime.vault.rewrap():
        wrapped += step
        runtime.heed()
    runtime.vault.destroy_old_epochs()
    return wrapped
