"""A process that does one dry run, and tells how long it took and how much memory it needed on top."""

import json
import os
import resource
import sys
import time
from pathlib import Path

from governance.bootstrap import COMMAND_LINE, assemble
from governance.retention import runs, service, sweeping
from governance.settings import Settings


def resident() -> int:
    """Memory that this process holds now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


def main(tenant_id: str) -> None:
    """Run once as the settings of the environment say, and print what came of it."""
    runtime = assemble(Settings.from_environ(os.environ))
    with runtime.work(tenant_id, COMMAND_LINE) as work:
        made = runs.create(work, dry_run=True)
    with runtime.snapshot(tenant_id, COMMAND_LINE) as snapshot:
        service.schedules(snapshot)  # the policies are read once per process, not once per run
    before, began, worked = resident(), time.monotonic(), time.process_time()
    assert sweeping.run(runtime, tenant_id, made.run_id)
    seconds, worked = time.monotonic() - began, time.process_time() - worked
    with runtime.snapshot(tenant_id, COMMAND_LINE) as snapshot:
        done = runs.get(snapshot, made.run_id)
    assert done.tally is not None
    counts = {f"{rule} {said}": number for (rule, said), number in done.tally.counts.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    told = {"status": done.status, "seconds": seconds, "worked": worked, "more_mb": peak - before}
    print(json.dumps({**told, "counts": counts}))
    runtime.close()


if __name__ == "__main__":
    main(sys.argv[1])
