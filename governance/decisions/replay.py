"""Replay: what a draft would have answered to the questions that were asked, by rule and by country.

Both policies decide on the facts that a decision keeps, so what differs is the change and nothing else. A
decision counts only if the policy that made it, asked again, still says what was said then; if it does not,
something is wrong (`not_reproduced`). Told apart before that is what no change of these rules could answer
otherwise: searches and questions that retention schedules and holds answer (`not_decided_by_policy`), and
questions about a tenant's own resources, whose properties are not kept (`facts_not_kept`).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from governance.clock import wire
from governance.decisions import store
from governance.decisions.again import Again, Redecider, standing_refusals
from governance.decisions.log import DecisionLog
from governance.errors import NotReadyError
from governance.policy import service as policies
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import ACTIONS
from governance.work import Snapshot

MOST_DECISIONS = 100_000
_SAMPLES = 20
_UNKNOWN = "unknown"
DENIED, ALLOWED = "newly_denied", "newly_allowed"
APART = ("erased", "not_decided_by_policy", "facts_not_kept", "not_reproduced")
"""Decisions that were read and are not compared, by why; only the last is a sign that something is wrong."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept decision as far as replay looks at it; `body` None once it was erased."""

    id: str
    at: datetime
    action: str
    allowed: bool
    digest: str
    body: dict[str, Any] | None


@dataclass(slots=True)
class Differences:
    """What two policies answer differently, counted as it comes."""

    counts: Counter[str] = field(default_factory=Counter)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    countries: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {DENIED: [], ALLOWED: []})

    def add(self, kept: Kept, country: str, present: Again, draft: Again) -> None:
        """Count a decision on which the two differ."""
        kind = DENIED if present.allowed else ALLOWED
        blocking = draft.against - present.against if present.allowed else present.against - draft.against
        self.counts[kind] += 1
        self.countries[kind, country] += 1
        for rule in blocking:
            self.rules[kind, rule] += 1
        if len(self.samples[kind]) < _SAMPLES:
            self.samples[kind].append(
                {
                    "decision": kept.id,
                    "at": wire(kept.at),
                    "action": kept.action,
                    "country": None if country == _UNKNOWN else country,
                    "rules": sorted(blocking),
                    "codes_before": list(present.codes),
                    "codes_after": list(draft.codes),
                }
            )

    def document(self) -> dict[str, Any]:
        """The counts as they are answered: most first."""
        return {
            DENIED: self.counts[DENIED],
            ALLOWED: self.counts[ALLOWED],
            "by_rule": _listed("rule", self.rules),
            "by_country": _listed("country", self.countries),
        }


def replay(
    snap: Snapshot, draft: CompiledPolicy, *, since: datetime | None = None, limit: int = 10_000
) -> dict[str, Any]:
    """Decide the newest `limit` decisions since an instant again by what is in force and by a draft.

    Checks come from the decision log, acts from the main database. Writes nothing.
    """
    compared = Comparison(snap, draft)
    read = 0
    for kept in kept_decisions(snap, since=since, limit=limit):
        read += 1
        compared.take(kept)
    return {
        "policy": compared.present.policy.digest,
        "digest": draft.digest,
        "since": None if since is None else wire(since),
        "limit": limit,
        "read": read,
        **compared.document(),
        "samples": compared.found.samples,
    }


class Comparison:
    """Takes kept decisions one by one and counts where a draft and what is in force differ."""

    def __init__(self, snap: Snapshot, draft: CompiledPolicy, present: CompiledPolicy | None = None) -> None:
        self._snap = snap
        self.draft = Redecider(draft)
        self.present = Redecider(present or policies.active(snap.connection, snap.tenant_id, snap.now))
        self._makers: dict[str, Redecider | None] = {self.present.policy.digest: self.present}
        self.found = Differences()
        self.decided = self.erased = self.not_reproduced = 0
        self.not_decided_by_policy = self.facts_not_kept = 0

    def take(self, kept: Kept) -> None:
        """Decide one kept decision again, three ways at most."""
        if kept.body is None:
            self.erased += 1
            return
        # Own resources first: a tenant may call an action on them as a gate calls its own.
        if "resource" in kept.body["question"]:
            self.facts_not_kept += 1
            return
        if kept.action not in ACTIONS:
            self.not_decided_by_policy += 1
            return
        worlds = kept.body["facts"]
        standing = standing_refusals(kept.body["reasons"])
        maker = self._maker(kept.digest)
        now = _asked_at(kept)
        if standing is None or not worlds or maker is None:
            self.not_reproduced += 1
            return
        lifted = [each["rule"] for each in kept.body.get("overrides", ())]
        question = (kept.action, worlds, now, standing, lifted)
        said = maker.decide(*question)
        if said.allowed is not kept.allowed:
            self.not_reproduced += 1
            return
        self.decided += 1
        present = said if maker is self.present else self.present.decide(*question)
        draft = self.draft.decide(*question)
        if present.allowed is not draft.allowed:
            self.found.add(kept, worlds[0].get("person.country") or _UNKNOWN, present, draft)

    def document(self) -> dict[str, Any]:
        """The counts as they are answered."""
        return {
            "decided": self.decided,
            "distinct": self.draft.distinct,
            **{name: getattr(self, name) for name in APART},
            **self.found.document(),
        }

    def _maker(self, digest: str) -> Redecider | None:
        """The policy that made a decision; None if its text is not stored any more."""
        if digest not in self._makers:
            try:
                self._makers[digest] = Redecider(policies.by_digest(self._snap.connection, digest))
            except NotReadyError:
                self._makers[digest] = None
        return self._makers[digest]


def kept_decisions(
    snap: Snapshot,
    *,
    since: datetime | None = None,
    after: str | None = None,
    before: datetime | None = None,
    limit: int,
) -> Iterator[Kept]:
    """Kept decisions of acts and checks together, read as they are taken.

    The newest first; the oldest first after the id `after`, up to the instant `before`, if that is given.
    """
    with snap.resource(DecisionLog).engine.connect() as log:
        read = partial(
            store.stream, tenant_id=snap.tenant_id, since=since, after=after, before=before, limit=limit
        )
        streams: list[Iterable[Kept]] = [
            (Kept(*row) for row in read(table, connection))
            for table, connection in ((store.logged_decision, log), (store.decision, snap.connection))
        ]
        merged = heapq.merge(*streams, key=lambda kept: kept.id, reverse=after is None)
        for number, kept in enumerate(merged):
            if number >= limit:
                return
            yield kept


def _asked_at(kept: Kept) -> datetime:
    """The instant that a question was about: a clock that was moved ahead is kept with the question."""
    said = (kept.body or {}).get("question", {}).get("time")
    return kept.at if said is None else max(kept.at, datetime.fromisoformat(said))


def _listed(name: str, counted: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Counts by name, those with most differences first."""
    names = {each for _, each in counted}
    rows = [{name: each, DENIED: counted[DENIED, each], ALLOWED: counted[ALLOWED, each]} for each in names]
    return sorted(rows, key=lambda row: (-(row[DENIED] + row[ALLOWED]), row[name]))
