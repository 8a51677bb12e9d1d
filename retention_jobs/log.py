"""What the jobs tell about themselves: a JSON line each on standard error, nobody in it."""

import sys
import traceback

import structlog


class _StandardError:
    """Whatever standard error is at the moment of writing."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_LINES = structlog.wrap_logger(
    structlog.WriteLogger(_StandardError()),  # type: ignore[arg-type]  # all that it needs of a file
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ],
)


def did(job: str, slot: str, done: int, seconds: float, stands_for: int) -> None:
    """Note a run that did something, or that stood for runs that were missed."""
    if done or stands_for > 1:
        _LINES.info("job", job=job, slot=slot, done=done, seconds=round(seconds, 3), stands_for=stands_for)


def halted(job: str, slot: str) -> None:
    """Note a run that was told to stop and left the rest to another."""
    _LINES.info("job-halted", job=job, slot=slot)


def lost(job: str, slot: str) -> None:
    """Note a run that overslept its lease: somebody else does the work."""
    _LINES.warning("job-lease-lost", job=job, slot=slot)


def left(job: str, failed: int) -> None:
    """Note how many of a run failed, each in a line of its own before, while the rest went on."""
    _LINES.error("job-left", job=job, failed=failed)


def failed(what: str, error: BaseException, *, attempt: int | None = None) -> None:
    """Note an error: its kind and where, never its message, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    _LINES.error(
        "job-failed",
        job=what,
        kind=type(error).__qualname__,
        attempt=attempt,
        where=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    )
