"""Carries out what retention decided: records end in their systems, people who are due are erased."""

from governance.bootstrap import Runtime
from governance.erasure import disposing


def run(runtime: Runtime) -> int:
    """Carry out what was approved, a batch after the other; gives how many dispositions were looked at."""
    done = 0
    for tenant_id in runtime.tenant_ids():
        while looked := disposing.carry_out(runtime, tenant_id):
            done += looked
            runtime.heed()
    return done
