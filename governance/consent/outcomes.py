"""What an act came to: its id, the state it left, and a signed receipt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.consent import receipts, views
from governance.consent.acts import Confirmation
from governance.consent.projection import ConsentEvent
from governance.consent.views import StateEntry
from governance.work import Work


@dataclass(frozen=True, slots=True)
class ConsentOutcome:
    """What an act came to. `state`: the places that it touched, as they are now; `receipt`: a compact JWS.

    `confirmation` is set where a double opt-in begins: its token goes to the contact point and nowhere else.
    """

    consent_id: str
    state: tuple[StateEntry, ...]
    event_id: str
    receipt_id: str
    receipt: str
    confirmation: Confirmation | None = None


def outcome(
    work: Work, events: Sequence[ConsentEvent], confirmation: Confirmation | None = None
) -> ConsentOutcome:
    """Say what an act came to."""
    first = events[0]
    return ConsentOutcome(
        first.consent_id,
        views.entries_of_act(work, events),
        first.event_id,
        receipts.receipt_id(first),
        receipts.sign(work, events),
        confirmation,
    )


def payload_of(
    evidence: Mapping[str, object] | None, guardian: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Put together what is personal about an act, to be sealed."""
    payload: dict[str, object] = {}
    if evidence:
        payload["evidence"] = dict(evidence)
    if guardian:
        payload["guardian"] = dict(guardian)
    return payload
