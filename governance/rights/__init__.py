"""Data-subject requests: intake, identity, clocks, letters, answers."""
