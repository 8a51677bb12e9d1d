"""Retention: how long data is kept at least, when it goes, and what holds it."""
