"""Work that a request only starts (imports, screenings, retention runs), taken up as soon as may be.

Everything is queued in the database and worked on under leases, so nothing depends on this thread: the
scheduler's process, other workers, or the next start go on with what is left.
"""

from functools import partial
from threading import Event, Lock, Thread

from flask import current_app

from api.telemetry import Log
from governance.bootstrap import Runtime
from governance.communications import screening_service as screenings
from governance.events import Actor
from governance.imports import runner
from governance.imports import service as imports
from governance.retention import sweeping

ACTOR = Actor("job:api-background", "job")


class Background:
    """One thread of this process that works off what waits, and sleeps until it is told of more."""

    def __init__(self, runtime: Runtime, log: Log) -> None:
        self._runtime = runtime
        self._log = log
        self._wanted = Event()
        self._idle = Event()
        self._idle.set()
        self._lock = Lock()
        self._thread: Thread | None = None

    def kick(self) -> None:
        """Say that something waits; returns at once."""
        self._idle.clear()
        self._wanted.set()
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="governance-background", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is left to do; whether that came in time."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            try:
                while self._once():
                    pass
            except Exception as error:
                self._log.unforeseen(error)
            if not self._wanted.is_set():
                self._idle.set()

    def _once(self) -> int:
        done = 0
        for tenant_id in self._runtime.tenant_ids(active=True):
            opened = (
                partial(self._runtime.work, tenant_id, ACTOR),
                partial(self._runtime.snapshot, tenant_id, ACTOR),
            )
            with self._runtime.snapshot(tenant_id, ACTOR) as snapshot:
                waiting = imports.waiting(snapshot)
            done += sum(runner.run_kept(*opened, import_id) is not None for import_id in waiting)
        return done + screenings.run_due(self._runtime) + sweeping.run_due(self._runtime)


def kick() -> None:
    """Say, after the commit, that this request queued something."""
    background: Background = current_app.extensions["governance-background"]
    background.kick()
