"""The access gate: who may see which field of a person, and what data may be used for."""
