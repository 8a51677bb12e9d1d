"""The kinds of cells that a person's consent state is made of."""

CONSENT = "consent"
REQUEST = "request"
CLAIM = "claim"
OBJECTION = "objection"
PROFILING = "profiling"
GUARDIAN = "guardian"
NIGHT = "night"
SUPPRESSION = "suppression"
SUPPRESSION_ALL = "suppression_all"
UNDELIVERABLE = "undeliverable"
KINDS = (
    CONSENT,
    GUARDIAN,
    REQUEST,
    CLAIM,
    NIGHT,
    OBJECTION,
    PROFILING,
    SUPPRESSION,
    SUPPRESSION_ALL,
    UNDELIVERABLE,
)
"""Kinds of cell.

`consent`: withdrawals, refusals and the person's own proven grants; `guardian`: proven grants by a guardian
who was named and verified, which stand beside the person's own; `request`: a sign-up that waits for its
confirmation; `claim`: grants that others report (imports, bought lists, no proof); `night`: yes and no to
being contacted at night; `objection`: to all marketing or to a purpose; `profiling`: objection to profiling;
the rest: suppressions.
"""

CONSENT_KINDS = frozenset({CONSENT, GUARDIAN, REQUEST, CLAIM})
"""Kinds that together say whether there is consent at a place."""

ACT_KINDS = frozenset({CONSENT, GUARDIAN})
"""Kinds of grants that are acts of the person, or of the guardian for the person: they can lift a no."""

SUPPRESSION_KINDS = frozenset({SUPPRESSION, SUPPRESSION_ALL, UNDELIVERABLE})

SCOPE_KIND = {"marketing": SUPPRESSION, "all": SUPPRESSION_ALL, "undeliverable": UNDELIVERABLE}
"""Scope of a person's suppression -> kind of its cell."""
