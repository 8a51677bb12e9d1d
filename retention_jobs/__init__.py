"""The clock's door: one job a file, a batch to a transaction, safe to repeat."""
