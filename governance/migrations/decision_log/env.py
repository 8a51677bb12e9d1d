"""Migrations of the decision log."""

from governance.decisions.store import decision_log_metadata
from governance.migrations.environment import run

run(decision_log_metadata)
