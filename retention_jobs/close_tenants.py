"""Deletes the tenants whose deletion was approved and whose grace is over."""

from governance.bootstrap import Runtime
from governance.offboarding import service as offboarding


def run(runtime: Runtime) -> int:
    """Carry out what is due; gives how many tenants are gone."""
    return offboarding.begin_due(runtime)
