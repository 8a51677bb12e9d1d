"""Schema of the decision log."""
