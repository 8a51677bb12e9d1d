"""Sends what happened to the systems that want to hear of it."""

from governance.bootstrap import Runtime
from governance.outbox import delivery
from governance.outbox.egress import Egress


def run(runtime: Runtime) -> int:
    """Send what is due; gives how many events were acknowledged."""
    return delivery.run_due(runtime, Egress(clock=runtime.clock))
