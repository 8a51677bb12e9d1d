"""Runs screenings that wait, and takes over those whose runner died."""

from governance.bootstrap import Runtime
from governance.communications import screening_service


def run(runtime: Runtime) -> int:
    """Run what is due; gives how many screenings were run."""
    return screening_service.run_due(runtime)
