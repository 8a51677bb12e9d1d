"""A message sent from abroad is a transfer: the transfers gate says whether people's data may go there.

The gates stand side by side and none imports another: the composition root hands the answer in as a function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.decisions.ground import Ground
from governance.work import Snapshot

FACT = "transfer.answer"
NOT_ABROAD = "none"
NOBODY_SAID = "no_mechanism"

ByCountry = Callable[[str | None], str]
"""From the country that a person lives in (None: not known) to what `transfer.answer` is."""


@dataclass(frozen=True, slots=True)
class Abroad:
    """`answers` takes snapshot, ground, the sender's country, the sender's code and the instant, if named."""

    answers: Callable[[Snapshot, Ground, str, str | None, datetime | None], ByCountry]


def answers_for(
    snap: Snapshot, ground: Ground, country: str, sender: str | None, time: datetime | None = None
) -> ByCountry:
    """What sending from a country means, person by person; a no where nobody was handed in to say."""
    handed = snap.resources.get(Abroad)
    if not isinstance(handed, Abroad):
        return lambda _: NOBODY_SAID
    return handed.answers(snap, ground, country, sender, time)


def sent_from(abroad: ByCountry | None, person: Mapping[str, Any]) -> dict[str, str]:
    """The fact of one person, where the message is sent from a country that was named."""
    return {} if abroad is None else {FACT: abroad(person.get("person.country"))}
