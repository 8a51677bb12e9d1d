"""Figures: medians and percentiles of repeated rounds, and how far the memory of a process rose."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report.

    `values` are the figures with their units in the names (`per_second`, `p50_ms`); `command` repeats this
    measurement alone. `aim` is what the project hopes for, in words; it is printed, never checked.
    """

    what: str
    database: str
    values: dict[str, Any]
    command: str
    aim: str = ""
    notes: dict[str, Any] = field(default_factory=dict)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the ordered values lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def rounded(value: float) -> float:
    """Three significant digits, so that noise does not look like knowledge."""
    return float(f"{value:.3g}") if abs(value) < 1000 else float(round(value))


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    began = perf_counter()
    action()
    return perf_counter() - began


def peak_growth_mib(action: Callable[[], object]) -> float | None:
    """How far resident memory rose above where it stood while an action ran, in MiB (Linux; else None)."""
    try:
        _CLEAR.write_text("5")  # resets the high-water mark, see proc(5)
        before = _kib("VmRSS")
        action()
        return round((_kib("VmHWM") - before) / 1024, 1)
    except OSError:
        action()
        return None


def _kib(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise OSError(f"no {name} here")
