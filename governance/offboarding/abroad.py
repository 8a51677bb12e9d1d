"""Everything of a tenant, carried abroad by hand: a transfer of everybody's data, asked about and logged."""

from governance.bootstrap import Runtime
from governance.decisions.record import DecisionRecord
from governance.events import Actor
from governance.transfers.disclosures import EVERYTHING, Disclosure, Recipient, answers, of_everybody

DOOR = "governance tenant export"


def refusal(runtime: Runtime, tenant_id: str, actor: Actor, recipient: Recipient) -> DecisionRecord | None:
    """Decide whether everything of a tenant may go to a recipient; None if it may, or if that is at home."""
    with runtime.snapshot(tenant_id, actor) as snap:
        found = answers(snap, [recipient], Disclosure(DOOR, frozenset(EVERYTHING)), of_everybody(snap))
    runtime.decision_log.append(tenant_id, found)
    return next((each for each in found if not each.allowed), None)
