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
from governance.consent.service import Lapse, OldGrant
from governance.decisions.model import Reason
from governance.policy.durations import Duration, cutoff, minus, plus
from governance.reports import reconfirmations_store as store
from governance.reports.reconfirmations_store import Grant, Place
from governance.subjects.model import SubjectReference
from governance.work import Snapshot

_CODE = "consent-expired"
_AGE = "consent.age"
_CLASS = "promotional"
AHEAD = Duration(60, "day")
"""How long before it lapses a consent is announced: time enough to ask, and to ask once more."""

_LONGEST_REST = Duration(30, "day")
"""After which a grant is looked at again in any case: the person may have moved, the policy changed."""


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
    ripe = _ripe(snap, within, after=after, limit=limit + 1)
    shown = ripe.grants[:limit]
    lapsing = [each for grant in shown for each in _lapses(ripe, grant)]
    return lapsing, shown[-1].place if len(ripe.grants) > limit else None


@dataclass(frozen=True, slots=True)
class Looked:
    """A grant that grew old, and its first lapse within AHEAD; None: look again then."""

    grant: OldGrant
    lapse: Lapse | None
    look_again_at: datetime


def unannounced(snap: Snapshot, *, limit: int = 50) -> list[Looked]:
    """Grants of which it may have to be announced that they lapse within AHEAD, some of them."""
    ripe = _ripe(snap, AHEAD, limit=limit, unsettled_at=snap.now)
    return [_look(ripe, grant) for grant in ripe.grants]


@dataclass(frozen=True, slots=True)
class _Ripe:
    """Grants that may lapse until `horizon`, at the `ages` by which the gate's answers change."""

    gate: Gate
    ages: list[Duration]
    horizon: datetime
    grants: list[Grant]


def _ripe(
    snap: Snapshot,
    within: Duration,
    *,
    after: Place | None = None,
    limit: int,
    unsettled_at: datetime | None = None,
) -> _Ripe:
    gate, horizon = open_gate(snap), plus(snap.now, within)
    ages = _ages(gate)
    grants = store.ripe(
        snap.connection,
        snap.tenant_id,
        given_until=_given_until(ages, horizon),
        ends_until=horizon,
        after=after,
        limit=limit,
        unsettled_at=unsettled_at,
    )
    return _Ripe(gate, ages, horizon, grants)


def _look(ripe: _Ripe, grant: Grant) -> Looked:
    found = list(_lapses(ripe, grant))
    first = min((each.due_at for each in found), default=None)
    lapse = None
    if first is not None:
        channels = [each.channel for each in found]
        rule = next(each.reason.rule for each in found if each.due_at == first)
        lapse = Lapse(first, channels, rule)
    later = [minus(end, AHEAD) for end in _ends(grant, ripe.ages) if end > ripe.horizon]
    again = min([*later, plus(ripe.gate.snap.now, _LONGEST_REST)])
    old = OldGrant(
        grant.subject_ref, grant.purpose, grant.controller, grant.channel, grant.topic, grant.given_at
    )
    return Looked(old, lapse, again)


def _ages(gate: Gate) -> list[Duration]:
    """The ages of a consent at which some rule's answer changes."""
    found = gate.ground.policy.thresholds(ACTION).get(_AGE, ())
    return [each for each in found if isinstance(each, Duration)]


def _given_until(ages: list[Duration], horizon: datetime) -> datetime | None:
    return max((cutoff(age, horizon).possibly for age in ages), default=None)


def _ends(grant: Grant, ages: list[Duration]) -> list[datetime]:
    ends = [plus(grant.given_at, age) for age in ages]
    return ends if grant.expires_at is None else [*ends, grant.expires_at]


def _lapses(ripe: _Ripe, grant: Grant) -> Iterator[Reconfirmation]:
    now = ripe.gate.snap.now
    ends = _ends(grant, ripe.ages)
    past = [at for at in ends if at <= now]
    coming = sorted(at for at in set(ends) if now < at <= ripe.horizon)
    for channel in (grant.channel,) if grant.channel else CHANNELS:
        for at in (now, *coming):
            reason = _lapsed(ripe.gate, grant, channel, at)
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
