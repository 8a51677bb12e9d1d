"""Bears workers that are killed: `python -m tests.promises.job_nursery MODULE:FLOW`.

A fork costs a fraction of a start, so hundreds of kills are affordable. Orders are JSON lines on standard
input, each answered by one: `bear` (with `moment` and `number`, or neither) forks a process that schedules
and works like `governance jobs`; `kill` and `stop` end it (SIGKILL, SIGTERM), `wait` gives it some `seconds`
to die by itself. The answer is its exit status (negative: the signal), None while it lives; for `stop` also
how many moments it `passed`.
"""

import gc
import json
import os
import signal
import sys
import time
from datetime import timedelta
from importlib import import_module
from typing import Any

from governance.bootstrap import assemble
from governance.settings import Settings
from retention_jobs.__main__ import serve
from tests.promises import crash_points
from tests.promises.job_kills import LEASE, Flow


class Nursery:
    """Holds one child at a time."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._child = 0
        self._told = -1

    def bear(self, moment: str | None = None, number: int = 0) -> dict[str, Any]:
        reads, writes = os.pipe()
        self._child, self._told = os.fork(), reads
        if self._child:
            os.close(writes)
            return {"status": None}
        try:
            _live(self._flow, moment, number, writes)
        except BaseException as problem:
            print(repr(problem), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)

    def kill(self) -> dict[str, Any]:
        os.kill(self._child, signal.SIGKILL)
        return {"status": self._reaped(0)}

    def stop(self) -> dict[str, Any]:
        os.kill(self._child, signal.SIGTERM)
        status = self._reaped(0)
        return {"status": status, "passed": int(os.read(self._told, 100) or b"0")}

    def wait(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (status := self._reaped(os.WNOHANG)) is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return {"status": status}

    def _reaped(self, options: int) -> int | None:
        pid, status = os.waitpid(self._child, options)
        return os.waitstatus_to_exitcode(status) if pid else None


def _live(flow: Flow, moment: str | None, number: int, told: int) -> None:
    counter = crash_points.arm(moment, number) if moment else None
    flow.shorten()
    runtime = assemble(Settings.from_environ(os.environ))
    serve(runtime, jobs=flow.jobs, workers=2, schedules=True, lease=timedelta(seconds=LEASE))
    runtime.close()
    os.write(told, str(counter.passed if counter else 0).encode())


def main(name: str) -> None:
    module, _, attribute = name.partition(":")
    flow = getattr(import_module(module), attribute)
    gc.freeze()  # children share what is loaded as long as no collector touches it
    nursery = Nursery(flow)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(nursery, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
