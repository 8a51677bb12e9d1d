"""What the figures were measured on."""

import os
import platform
import sqlite3
import statistics
from pathlib import Path
from time import perf_counter
from typing import Any

_FSYNCS = 200


def facts(folder: Path) -> dict[str, Any]:
    """Processor, memory, versions, load, and the latency of fsync in the folder where databases will lie."""
    fsync = _fsync_ms(folder)
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_before": [round(each, 2) for each in os.getloadavg()],
        "folder": str(folder),
        "fsync_p50_ms": fsync[0],
        "fsync_p99_ms": fsync[1],
    }


def cores() -> tuple[set[int], set[int]]:
    """The core for the server's worker, and the cores for the load (the same one, if there is only one)."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, set(allowed[1:]) or {allowed[0]}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _fsync_ms(folder: Path) -> tuple[float, float]:
    """Median and 99th percentile of appending 4 KiB and syncing it, in milliseconds."""
    path = folder / "fsync-probe"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            began = perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append((perf_counter() - began) * 1000)
    path.unlink()
    return round(statistics.median(taken), 3), round(sorted(taken)[int(_FSYNCS * 0.99)], 3)
