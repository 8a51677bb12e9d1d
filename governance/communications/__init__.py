"""The communications gate: may this message go to this person now, and what became of it."""
