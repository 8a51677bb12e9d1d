"""The lifecycle gate: who may move to which stage of a relationship, and what follows from it."""
