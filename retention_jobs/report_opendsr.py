"""Tells controllers that sent requests by OpenDSR how these stand."""

from governance.bootstrap import Runtime
from governance.egress.client import Egress
from governance.opendsr import reporting
from retention_jobs.alone import Alone


def run(runtime: Runtime) -> int:
    """Send what is due; gives how many reports were taken.

    One that fails is logged and left for the next run.
    """
    alone = Alone("report-opendsr")
    taken = reporting.run_due(runtime, Egress(clock=runtime.clock), alone)
    alone.end()
    return taken
