"""Sends what happened to the systems that want to hear of it."""

from governance.bootstrap import Runtime
from governance.egress.client import Egress
from governance.outbox import delivery


def run(runtime: Runtime) -> int:
    """Send what is due; gives how many events were acknowledged."""
    return delivery.run_due(runtime, Egress(clock=runtime.clock))
