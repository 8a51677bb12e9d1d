"""A no of somebody who is erased, told late: nobody is left whom it binds, so it binds the addresses.

What brings nobody back is not lost: it bars the addresses that the person had, by keyed hash, as what was
refused before the erasure does (`erasing`). Told twice it is kept once.
"""

from collections.abc import Iterable
from datetime import datetime

from governance.consent import acts, attesting, suppression_store
from governance.consent.suppression_store import StoredBar
from governance.subjects import service as subjects
from governance.work import Work

REASON = "erasure"


def keep_no(
    work: Work,
    subject_ref: str,
    *,
    scope: str = "purpose",
    purpose: str = "",
    controller: str = "",
    channel: str = "",
    topic: str = "",
    occurred_at: datetime | None = None,
    hashes: Iterable[str] = (),
) -> int:
    """Bar the addresses of an erased person, and those named by hash; gives how many bars were set.

    `scope`: of a suppression, or `purpose` for what a withdrawal or objection leaves ('' is every purpose).
    """
    named = [*hashes, *subjects.buried_addresses(work, subject_ref, channel)]
    addresses = list(dict.fromkeys(named))
    standing = suppression_store.standing(work.connection, work.tenant_id, addresses)
    said = (scope, purpose, controller, channel, topic)
    missing = [
        each
        for each in addresses
        if all(
            said != (bar.scope, bar.purpose, bar.controller, bar.channel, bar.topic)
            for bar in standing.get(each, ())
        )
    ]
    if not missing:
        return 0
    facts = {"bars": len(missing), "late": True}
    event = work.record("consent.noes_carried", facts=facts)  # nobody's: it binds whoever is reached there
    at = acts.clamped(occurred_at, work.now)
    bars = [
        StoredBar(
            each,
            work.new_id("sup"),
            scope,
            purpose,
            controller,
            channel,
            topic,
            None,
            REASON,
            at,
            work.now,
            None,
            event.id,
        )
        for each in missing
    ]
    attesting.keep(work, bars)
    return len(missing)
