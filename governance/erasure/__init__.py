"""Erasure: carries out, in every system and in our own rows, what a request or a retention rule decided."""
