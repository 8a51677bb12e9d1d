"""Writes SQLite's files anew, so that what deleted rows left in unused places is gone within a day."""

from governance.bootstrap import Runtime
from governance.database import rewrite


def run(runtime: Runtime) -> int:
    """Rewrite the main file, that of the decisions and the keyring; gives how many were, 0 on PostgreSQL.

    A reader in the way leaves older pages in a write-ahead log until the next erasure or the next day.
    """
    if runtime.engine.dialect.name != "sqlite":
        return 0
    done = 0
    for engine in (runtime.engine, runtime.decision_log.engine):
        runtime.heed()
        done += rewrite(engine)
    runtime.heed()
    return done + runtime.vault.rewrite_file()
