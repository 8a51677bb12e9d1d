"""One effect for one `Idempotency-Key`, however often the request arrives."""
