"""The scheduled review: what time, the law and numbers have done to flows since they were last looked at."""

from datetime import timedelta

from governance.clock import wire
from governance.transfers import flows, store
from governance.transfers.gate import open_gate
from governance.transfers.model import EXPIRED
from governance.work import Work

NOTICE = timedelta(days=30)
EXPIRING = "expiring"


def review(work: Work) -> int:
    """Count people anew, note mechanisms that end or have ended, and announce flows that stand differently.

    Denying needs no review: checks go by the clock, the register and the policy in force themselves. Safe to
    repeat: what was announced is not announced again. Gives how many events were recorded.
    """
    flows.count_people(work)
    noted = _ends(work)
    return noted + len(flows.announce(work, open_gate(work)))


def _ends(work: Work) -> int:
    """Give notice of mechanisms that end within 30 days, and of those that have ended, each once."""
    noted = 0
    for each in store.mechanisms(work.connection, work.tenant_id):
        if each.expires_at is None or each.expires_at > work.now + NOTICE:
            continue
        end = EXPIRED if each.expires_at <= work.now else EXPIRING
        row = store.find_mechanism(work.connection, work.tenant_id, each.mechanism_id)
        if row is None or row["noticed"] == end:
            continue
        work.record(
            f"transfers.mechanism_{end}",
            facts={
                "mechanism": each.mechanism_id,
                "expires_at": wire(each.expires_at),
                "owner": each.owner,
                "flows": [
                    flow.flow_id
                    for flow in store.flows(work.connection, work.tenant_id)
                    if each.mechanism_id in flow.mechanisms
                ],
            },
        )
        store.note_end(work.connection, work.tenant_id, each.mechanism_id, end)
        noted += 1
    return noted
