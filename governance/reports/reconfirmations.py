"""Whose consent has to be confirmed again, and by when, because a policy says that consent grows old.

Nothing here knows a term: the gate is asked about a promotional message at the instants at which an answer
can change by the age or the end of the consent. Where it then says `consent-expired`, the consent is due by
then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.communications.gate import Gate, open_gate
from governance.communications.model import ACTION, CHANNELS, CheckRequest
from governance.decisions.model import Reason
from governance.policy.durations import Duration, cutoff, plus
from governance.reports import reconfirmations_store as store
from governance.reports.reconfirmations_store import Grant, Place
from governance.subjects.model import SubjectReference
from governance.work import Snapshot

_CODE = "consent-expired"
_AGE = "consent.age"
_CLASS = "promotional"


@dataclass(frozen=True, slots=True)
class Reconfirmation:
    """A consent that lapses at `due_at` on a channel unless the person confirms it again; `reason` is why."""

    grant: Grant
    channel: str
    due_at: datetime
    overdue: bool
    reason: Reason

    def document(self) -> dict[str, Any]:
        """One line of `GET /v1/consents/reconfirmation-due`."""
        return {
            "subject": self.grant.external_id,
            "purpose": self.grant.purpose,
            "channel": self.channel,
            "topic": self.grant.topic or None,
            "controller": self.grant.controller or None,
            "given_at": wire(self.grant.given_at),
            "expires_at": wire(self.grant.expires_at) if self.grant.expires_at else None,
            "due_at": wire(self.due_at),
            "overdue": self.overdue,
            "reason": self.reason.to_dict(),
        }


def due(
    snap: Snapshot, *, within: Duration, after: Place | None = None, limit: int = 50
) -> tuple[list[Reconfirmation], Place | None]:
    """What lapses by then, among up to `limit` grants, the oldest first, and where the list goes on.

    A page may be short or empty though the list goes on: not every old grant lapses everywhere.
    """
    gate = open_gate(snap)
    horizon = plus(snap.now, within)
    found = gate.ground.policy.thresholds(ACTION).get(_AGE, ())
    ages = [each for each in found if isinstance(each, Duration)]
    grants = store.ripe(
        snap.connection,
        snap.tenant_id,
        given_until=max((cutoff(age, horizon).possibly for age in ages), default=None),
        ends_until=horizon,
        after=after,
        limit=limit + 1,
    )
    shown = grants[:limit]
    lapsing = [each for grant in shown for each in _lapses(gate, grant, ages, horizon)]
    return lapsing, shown[-1].place if len(grants) > limit else None


def _lapses(gate: Gate, grant: Grant, ages: list[Duration], horizon: datetime) -> Iterator[Reconfirmation]:
    now = gate.snap.now
    ends = [plus(grant.given_at, age) for age in ages]
    if grant.expires_at is not None:
        ends.append(grant.expires_at)
    past = [at for at in ends if at <= now]
    coming = sorted(at for at in set(ends) if now < at <= horizon)
    for channel in (grant.channel,) if grant.channel else CHANNELS:
        for at in (now, *coming):
            reason = _lapsed(gate, grant, channel, at)
            if reason is not None:
                # Already over: since the latest of the ends that have passed, as far as can be told.
                due_at = max(past, default=now) if at == now else at
                yield Reconfirmation(grant, channel, due_at, at == now, reason)
                break


def _lapsed(gate: Gate, grant: Grant, channel: str, at: datetime) -> Reason | None:
    asked = CheckRequest(
        SubjectReference(id=grant.external_id),
        channel,
        _CLASS,
        grant.purpose,
        topic=grant.topic or None,
    )
    record = gate.check(replace(asked, time=at))
    return next((reason for reason in record.verdict.reasons if reason.code == _CODE), None)
