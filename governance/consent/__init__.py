"""What people said yes and no to: consent, objections, suppressions, and the state that follows from them."""
