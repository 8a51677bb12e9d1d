"""A consent that lapses unless it is confirmed again is announced once, ahead of its end.

Whether and when it lapses is for policies to say (`governance.reports.reconfirmations` asks the gate); here
it is written down. The event lets the CRM ask the person; a new yes is a new grant with its own notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.clock import wire
from governance.consent import reconfirmation_store, store
from governance.events import Fact
from governance.subjects import service as subjects
from governance.work import Work


@dataclass(frozen=True, slots=True)
class OldGrant:
    """A grant, by the place at which it was given; '' is all."""

    subject_ref: str
    purpose: str
    controller: str
    channel: str
    topic: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Lapse:
    """When a grant first lapses, on which channels it then will have, and the rule that says so."""

    due_at: datetime
    channels: Sequence[str]
    rule: str


def announce_reconfirmation(
    work: Work, grant: OldGrant, lapse: Lapse | None, *, look_again_at: datetime
) -> bool:
    """Record `consent.reconfirmation_due`, once for a grant; gives whether it was recorded now.

    `lapse` None: it does not lapse soon, and is looked at again at that instant. Nothing is recorded of a
    grant that the person has replaced or ended meanwhile.
    """
    subjects.lock(work, grant.subject_ref)
    key = {name: getattr(grant, name) for name in OldGrant.__slots__}
    at = (work.connection, work.tenant_id)
    if reconfirmation_store.is_announced(*at, key):
        return False
    event_id = None
    if lapse is not None and _stands(work, grant):
        facts: dict[str, Fact] = {
            "purpose": grant.purpose,
            "controller": grant.controller,
            "channel": grant.channel,
            "topic": grant.topic,
            "channels": list(lapse.channels),
            "granted_at": wire(grant.given_at),
            "due_at": wire(lapse.due_at),
            "overdue": lapse.due_at <= work.now,
            "rule": lapse.rule,
        }
        event_id = work.record("consent.reconfirmation_due", subject_ref=grant.subject_ref, facts=facts).id
    values = {
        **key,
        "look_again_at": None if event_id is not None else look_again_at,
        "due_at": None if lapse is None else lapse.due_at,
        "event_id": event_id,
    }
    with work.bookkeeping():  # a look without a finding is no event
        reconfirmation_store.put(*at, values)
    return event_id is not None


def _stands(work: Work, grant: OldGrant) -> bool:
    return any(
        (cell.purpose, cell.controller, cell.channel, cell.topic, cell.pos_at)
        == (grant.purpose, grant.controller, grant.channel, grant.topic, grant.given_at)
        and cell.pos_status == "granted"
        for cell in store.cells_of(work.connection, work.tenant_id, grant.subject_ref).values()
    )
