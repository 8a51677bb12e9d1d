"""The check of the decision log from inside: what the ledger was told, and whether the log still is that."""

import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.decisions import store
from governance.decisions.log import DecisionLog
from governance.ledger.store import ledger_entry


def check(connection: Connection, tenant_id: str, log: DecisionLog) -> list[str]:
    """Give every disagreement between ledger, table of seals and log as a sentence."""
    told = _told(connection, tenant_id)
    seals = store.seals(connection, tenant_id)
    faults = [
        f"The seal of batch {batch_id} is not what the ledger tells."
        for batch_id in sorted(told.keys() | seals.keys())
        if told.get(batch_id) != seals.get(batch_id)
    ]
    return faults + log.verify(tenant_id, told)


def _told(connection: Connection, tenant_id: str) -> dict[str, tuple[int, str]]:
    """Batch id to (count, root), from the leaves themselves: a table could be made to agree with the log."""
    leaves = sa.select(ledger_entry.c.leaf).where(
        ledger_entry.c.tenant_id == tenant_id, ledger_entry.c.kind == "decisions.sealed"
    )
    every = (json.loads(leaf)["facts"] for leaf in connection.scalars(leaves))
    return {facts["batch"]: (facts["count"], facts["root"]) for facts in every}
