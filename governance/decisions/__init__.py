"""Facts and policy become a decision with every reason; the log of decisions."""
