"""The facts that are the same for everybody of whom a question is asked. Pure."""

from collections.abc import Mapping
from typing import Any

from governance.communications import dealings
from governance.communications.asked import Asked
from governance.communications.situations import (
    APART,
    CALL_WINDOWS,
    CHECKED_AGE,
    CONFIRMED,
    LISTED,
    OPT_OUT_AGE,
    REVOKED,
    dealing_facts,
)

_SOLD = tuple(dealing_facts(()))


def same_for_all(asked: Asked) -> Mapping[str, Any]:
    """The facts that are the same for everybody of whom this is asked; None for those that nobody has."""
    absent: list[str] = []
    if asked.point_type != "phone":
        absent += (LISTED, CHECKED_AGE)
    if asked.consent.channel != "voice":
        absent += CALL_WINDOWS
    if not dealings.counts(asked):
        absent += _SOLD
    if not asked.consent.topic:
        absent += APART
    if not asked.confirms_an_opt_out:
        absent += (OPT_OUT_AGE, CONFIRMED)
    if not asked.by_telephone:
        absent.append(REVOKED)
    return {**dict.fromkeys(absent), **asked.facts}
