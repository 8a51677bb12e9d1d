"""A connected system abroad: what is written there is a transfer; what is asked back or ordered away is none.

The gates stand above this room, so the composition root hands the answer in as a function. Only corrections
carry data out: erasures, disposals, restrictions and their release are orders that always pass, and what is
collected or counted comes back. A correction is asked about as an answer to the person (Art. 19 GDPR: whoever
was given the data is told), so neither the person's own restriction nor a suspended mechanism stops it; what
may is a policy of the controller's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from governance.systems.model import CORRECT, System
from governance.work import Snapshot

CARRIES_DATA_OUT = frozenset({CORRECT})


@dataclass(frozen=True, slots=True)
class Onward:
    """`refusal` takes snapshot, system and the person's reference: why data may not go there, or None."""

    refusal: Callable[[Snapshot, System, str], str | None]


def refusal(snap: Snapshot, system: System | None, verb: str, subject_ref: str) -> str | None:
    """Why a verb may not be asked of a system now; None if it may. A system without a country is at home."""
    if system is None or system.country is None or verb not in CARRIES_DATA_OUT:
        return None
    handed = snap.resources.get(Onward)
    if not isinstance(handed, Onward):
        return "Nobody was asked whether data may go to the country of this system, so they do not."
    return handed.refusal(snap, system, subject_ref)
