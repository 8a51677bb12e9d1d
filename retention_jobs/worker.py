"""Does what is due: claims slots, runs jobs, gives signs of life, finishes under the fence.

One thread looks for work and hands it to others, one keeps their leases alive. A run whose lease was lost can
open no further unit of work; what it did before is committed, and jobs are safe to repeat. A job whose effect
no repeat can recognise completes its claim (`work.resource(Claim)`) in the transaction of that effect.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from governance.bootstrap import HaltedError, Runtime
from governance.database import for_reading
from governance.queue import service as queue
from governance.queue.model import LEASE, Claim, rest
from retention_jobs import log
from retention_jobs.schedule import Job

POLL = 0.5
"""Seconds between two looks for work."""

MOST_ATTEMPTS = 10
"""After so many failures a slot is given up; the next one of its kind begins anew."""


Ending = Callable[[Connection, datetime], bool]
"""Writes how a run ended; False if the claim is no longer ours."""


class LeaseLostError(HaltedError):
    """Somebody else has claimed what this run is doing."""


@dataclass(slots=True, eq=False)
class Turn:
    """One run of a job under a claim."""

    job: Job
    claim: Claim
    lost: threading.Event = field(default_factory=threading.Event)

    def fence(self, connection: Connection) -> None:
        """Raise unless the claim is ours, now and until the end of this transaction."""
        if self.lost.is_set() or not queue.holds(connection, self.claim):
            self.lost.set()
            raise LeaseLostError


class Workers:
    """Some workers of one process. `lease` and `poll` (seconds) are shorter in tests."""

    def __init__(
        self,
        runtime: Runtime,
        jobs: Sequence[Job],
        *,
        count: int,
        lease: timedelta = LEASE,
        poll: float = POLL,
    ) -> None:
        self._runtime = runtime
        self._jobs = {each.name: each for each in jobs}
        self._lease = lease
        self._poll = poll
        self._owner = runtime.ids("wrk", runtime.clock())
        self._free = threading.Semaphore(count)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="job")
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._lock = threading.Lock()
        self._turns: set[Turn] = set()
        self._threads = [
            threading.Thread(target=self._look, name="jobs-look"),
            threading.Thread(target=self._beat, name="jobs-beat"),
        ]

    def start(self) -> None:
        """Begin to look for work."""
        for each in self._threads:
            each.start()

    def wake(self) -> None:
        """Say that there may be work; returns at once."""
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more, let every run finish the batch at hand, give the rest back; then return."""
        self._stopping.set()
        self._wake.set()
        self._threads[0].join()
        self._pool.shutdown(wait=True)
        self._idle.set()
        self._threads[1].join()

    def run_now(self, job: Job) -> int:
        """Run one job in this thread under a slot of its own; how much it did. Raises what it raises."""
        now = self._runtime.clock()
        name = self._runtime.ids("hand", now)
        with self._runtime.engine.connect() as connection, connection.begin():
            queue.put(connection, job.name, name, now)
            claim = queue.claim(connection, job.name, now, self._lease, owner=self._owner, slot=name)
        assert claim is not None
        self._threads[1].start()
        try:
            return self._do(Turn(job, claim), by_hand=True)
        finally:
            self._idle.set()
            self._threads[1].join()

    def _look(self) -> None:
        """Claim slot after slot for whichever thread is free."""
        while not self._stopping.is_set():
            if not self._free.acquire(timeout=self._poll):
                continue
            turn = None
            try:
                self._wake.clear()
                turn = self._claim()
            except Exception as error:  # the database may be away for a while
                log.failed("claim", error)
            if turn is None:
                self._free.release()
                self._wake.wait(self._poll)
            else:
                self._pool.submit(self._run, turn)

    def _claim(self) -> Turn | None:
        engine, now = self._runtime.engine, self._runtime.clock()
        with engine.connect() as plain, for_reading(plain).begin():
            busy = queue.running(plain, now)
            kinds = [name for name, job in self._jobs.items() if busy.get(name, 0) < job.at_once]
            if not queue.claimable(plain, kinds, now):
                return None
        with engine.connect() as connection, connection.begin():
            claim = queue.claim(connection, kinds, now, self._lease, owner=self._owner)
        return None if claim is None else Turn(self._jobs[claim.kind], claim)

    def _run(self, turn: Turn) -> None:
        try:
            self._do(turn)
        except Exception as error:  # the ending could not be written: the lease runs out, another turn comes
            log.failed(turn.job.name, error)
        finally:
            self._free.release()
            self._wake.set()

    def _do(self, turn: Turn, *, by_hand: bool = False) -> int:
        job, claim = turn.job, turn.claim
        own = replace(
            self._runtime,
            halted=lambda: self._stopping.is_set() or turn.lost.is_set(),
            fence=turn.fence,
        )
        own.resources = {**self._runtime.resources, Claim: claim}
        with self._lock:
            self._turns.add(turn)
        began, done, kept = time.monotonic(), 0, True
        try:
            done = job.run(own)
            kept = self._end(lambda connection, now: queue.complete(connection, claim, now=now, done=done))
            log.did(job.name, claim.slot, done, time.monotonic() - began, claim.stands_for)
        except LeaseLostError:
            kept = False
        except HaltedError:
            kept = self._end(lambda connection, now: queue.release(connection, claim, now=now))
            log.halted(job.name, claim.slot)
        except Exception as error:
            log.failed(job.name, error, attempt=claim.attempt)
            problem = type(error).__qualname__
            again = not by_hand and claim.attempt < MOST_ATTEMPTS
            pause = rest(claim.attempt) if again else None
            kept = self._end(
                lambda connection, now: queue.fail(
                    connection, claim, None if pause is None else now + pause, now=now, problem=problem
                )
            )
            if by_hand:
                raise
        finally:
            with self._lock:
                self._turns.discard(turn)
        if not kept:
            log.lost(job.name, claim.slot)
        return done

    def _end(self, write: Ending) -> bool:
        with self._runtime.engine.connect() as connection, connection.begin():
            return write(connection, self._runtime.clock())

    def _beat(self) -> None:
        """Stretch the leases of all runs, three times as often as they would run out."""
        while not self._idle.wait(self._lease.total_seconds() / 3):
            with self._lock:
                turns = list(self._turns)
            for turn in turns:
                try:
                    with self._runtime.engine.connect() as connection, connection.begin():
                        kept = queue.renew(connection, turn.claim, self._runtime.clock(), self._lease)
                except Exception as error:  # tried again at the next beat
                    log.failed(f"lease of {turn.job.name}", error)
                    continue
                with self._lock:
                    if not kept and turn in self._turns:
                        turn.lost.set()
