"""The ledger: append-only events, a tree per tenant, signed checkpoints, proofs, the offline check."""
