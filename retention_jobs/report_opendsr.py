"""Tells controllers that sent requests by OpenDSR how these stand."""

from governance.bootstrap import Runtime
from governance.egress.client import Egress
from governance.opendsr import reporting


def run(runtime: Runtime) -> int:
    """Send what is due; gives how many reports were taken."""
    return reporting.run_due(runtime, Egress(clock=runtime.clock))
