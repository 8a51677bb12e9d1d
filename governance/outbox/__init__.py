"""The ledger as an outbox: the feed of events, and webhooks that carry them to other systems."""
