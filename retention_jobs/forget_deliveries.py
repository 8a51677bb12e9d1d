"""Forgets what was delivered to webhooks, or given up, long ago; the ledger and its feed keep the events."""

from governance.bootstrap import Runtime
from governance.outbox import delivery


def run(runtime: Runtime) -> int:
    """Forget old deliveries; gives how many."""
    return delivery.forget_old(runtime)
