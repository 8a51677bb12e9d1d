"""Schema of the main database."""
