"""The catalogue in use: why data may be used, and where it is taken in."""
