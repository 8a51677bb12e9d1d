"""A no that came from an address, whoever is reached there: known, unknown, or nobody yet.

For requests of people who were not identified: the address itself is barred by its keyed hash, with no look
at whose it is. Like the bar that a withdrawal leaves behind, it yields to a later consent of the person's
own.
"""

from datetime import datetime

from governance.clock import wire
from governance.consent import acts, suppression_store
from governance.consent.consents import check_purpose
from governance.consent.suppression_store import StoredBar
from governance.work import Work


def bar_address(
    work: Work,
    suppression_hash: str,
    *,
    reason: str,
    purpose: str | None = None,
    channel: str | None = None,
    occurred_at: datetime | None = None,
) -> str:
    """Bar an address for a purpose (None: all) on a channel (None: all); returns the suppression's id.

    `reason` is a code. InvalidError for a purpose or channel that is not known.
    """
    about, _ = check_purpose(work, purpose)
    on = acts.check_channel(channel)
    at = acts.clamped(occurred_at, work.now)
    suppression_id = work.new_id("sup")
    facts = {
        "suppression": suppression_id,
        "scope": "purpose",
        "purpose": about,
        "channel": on,
        "reason": reason,
        "occurred_at": wire(at),
    }
    event = work.record("consent.point_suppressed", facts=facts)
    bar = StoredBar(
        suppression_hash,
        suppression_id,
        "purpose",
        about,
        "",
        on,
        "",
        None,
        reason,
        at,
        work.now,
        None,
        event.id,
    )
    suppression_store.add(work.connection, work.tenant_id, [bar])
    return suppression_id
