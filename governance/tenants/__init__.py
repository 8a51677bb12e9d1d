"""Who the controllers are."""
