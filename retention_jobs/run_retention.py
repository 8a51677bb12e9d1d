"""Works off retention runs that wait, and goes on with those whose worker died."""

from governance.bootstrap import Runtime
from governance.retention import sweeping


def run(runtime: Runtime) -> int:
    """Run what is due; gives how many runs came to an end or to approval."""
    return sweeping.run_due(runtime)
