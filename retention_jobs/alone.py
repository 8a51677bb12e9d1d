"""A piece of a run at a time: one that fails keeps no other from its turn."""

from collections.abc import Iterator
from contextlib import contextmanager

from governance.bootstrap import HaltedError
from retention_jobs import log


class Alone:
    """The pieces of one run of a job: `with alone(): …` logs what fails and leaves it for the next run.

    A run that is to stop, or has lost its lease (HaltedError), stops.
    """

    def __init__(self, job: str) -> None:
        self._job = job
        self._failed = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """One piece."""
        try:
            yield
        except HaltedError:
            raise
        except Exception as error:
            log.failed(self._job, error)
            self._failed += 1

    def end(self) -> None:
        """Log how many failed, if any did."""
        if self._failed:
            log.left(self._job, self._failed)
