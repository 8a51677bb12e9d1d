"""Says what is due: the only file that knows APScheduler.

Its triggers live in memory and do one thing: they offer the slot to the queue, insert or ignore. The
timetable is code, nothing is pickled, no store is shared; so any number of schedulers may run at once.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from governance.bootstrap import Runtime
from governance.database import for_reading
from governance.queue import service as queue
from governance.queue.model import Offered
from retention_jobs import log
from retention_jobs.schedule import Job

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offer(runtime: Runtime, job: Job) -> Offered:
    """Queue what is due of a job by now; asks first, so that most of several schedulers write nothing."""
    every = timedelta(seconds=job.every_seconds)
    offered, now = Offered(), runtime.clock()
    while True:
        with runtime.engine.connect() as plain, for_reading(plain).begin():
            if not queue.is_due(plain, job.name, every, now):
                return offered
        with runtime.engine.connect() as connection, connection.begin():
            offered = queue.offer(connection, job.name, every, now, each=job.each_slot)


class Scheduler:
    """Ticks until it is stopped.

    `offered` is called after slots were queued. `speed`: how much faster the runtime's clock goes than the
    wall's; 1 outside of tests.
    """

    def __init__(
        self, runtime: Runtime, jobs: Sequence[Job], *, offered: Callable[[], None], speed: float = 1
    ) -> None:
        self._runtime = runtime
        self._offered = offered
        self._jobs = jobs
        self._ticker = BackgroundScheduler(timezone="UTC")
        for each in jobs:
            self._ticker.add_job(
                self._tick,
                "interval",
                args=[each],
                seconds=each.every_seconds / speed,
                start_date=_EPOCH,  # ticks fall on the slots themselves
                id=each.name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )

    def start(self) -> None:
        """Offer at once what is due already, then tick."""
        for each in self._jobs:
            self._tick(each)
        self._ticker.start()

    def stop(self) -> None:
        """Stop ticking; a tick under way is finished."""
        self._ticker.shutdown(wait=True)

    def _tick(self, job: Job) -> None:
        try:
            if offer(self._runtime, job).queued:
                self._offered()
        except Exception as error:  # the database may be away for a while: the next tick offers this too
            log.failed(f"offer {job.name}", error)
