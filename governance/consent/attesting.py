"""What the ledger holds of bars on contact points: a keyed digest each, beside the act that left the bar."""

from collections import defaultdict
from collections.abc import Sequence

from governance.clock import wire
from governance.consent import suppression_store
from governance.consent.suppression_store import StoredBar
from governance.events import BARS
from governance.vault.model import joined
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_USE = "consent/attest/v1"
_DIGITS = 24


def keep(work: Work, bars: Sequence[StoredBar]) -> None:
    """Insert bars, and let the events that they belong to (recorded in this work) name them.

    The fact `bars` holds `<suppression id>=<digest>` for each.
    """
    named: dict[str, list[str]] = defaultdict(list)
    for bar in bars:
        named[bar.event_id].append(f"{bar.suppression_id}={digest_of(work, bar)}")
    for event_id, told in named.items():
        work.add_facts(event_id, {BARS: told})
    suppression_store.add(work.connection, work.tenant_id, bars)


def digest_of(snap: Snapshot, bar: StoredBar) -> str:
    """The digest of a bar as it was made. Whose it is follows from merges, its end from a release."""
    message = joined(
        bar.suppression_hash,
        bar.suppression_id,
        bar.scope,
        bar.purpose,
        bar.controller,
        bar.channel,
        bar.topic,
        bar.reason,
        wire(bar.occurred_at),
        wire(bar.recorded_at),
        bar.event_id,
    )
    return snap.resource(Vault).mac(snap.tenant_id, _USE, message).hex()[:_DIGITS]
