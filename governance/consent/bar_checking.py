"""The check of the bars on contact points from inside: none without its event, none lost, none changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from governance.consent import attesting
from governance.consent.suppression_store import StoredBar
from governance.consent.tables import suppression
from governance.database import paged
from governance.events import BARS
from governance.ledger.model import facts_told
from governance.ledger.store import ledger_entry
from governance.work import Snapshot

_BAR_SET, _BAR_RELEASED = "consent.point_suppressed", "consent.point_released"
_MERGED = "consent.merged"
_NAMES_BARS = b'"bars":['


def bar_problems(snap: Snapshot) -> Iterator[str]:
    """Compare the bars on contact points with the ledger: none without its event, none lost or changed."""
    of_tenant = ledger_entry.c.tenant_id == snap.tenant_id
    told = _Bars.told(snap)
    columns = [suppression.c[name] for name in StoredBar.__slots__]
    which = sa.select(*columns, ledger_entry.c.position).outerjoin(
        ledger_entry,
        sa.and_(of_tenant, ledger_entry.c.event_id == suppression.c.event_id),
    )
    which = which.where(suppression.c.tenant_id == snap.tenant_id)
    keys = (suppression.c.suppression_hash, suppression.c.suppression_id)
    for row in paged(snap.connection, which, keys):
        bar = StoredBar(*list(row)[: len(columns)])
        if row.position is None:
            yield f"{bar.suppression_id}: the suppression's event is not in the ledger."
        elif not told.is_same(snap, bar):
            yield f"{bar.suppression_id}: the suppression differs from the ledger."
        if (bar.released_at is not None) != (bar.suppression_id in told.released):
            yield f"{bar.suppression_id}: the suppression's release and the ledger disagree."
    for suppression_id in told.lost():
        yield f"{suppression_id}: the suppression is in the ledger and not in its table."


@dataclass(slots=True)
class _Bars:
    """What the ledger tells of bars. Events from before there were digests tell less of them.

    `plain`: scope, channel and reason of those that were set on a contact point as such. `digests`: each with
    whose act left it, and where in the ledger. `merges`: by person, where they were merged and into whom.
    """

    plain: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    digests: dict[str, tuple[str, str | None, int]] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    merges: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    @classmethod
    def told(cls, snap: Snapshot) -> "_Bars":
        """Read all that the ledger tells."""
        found = cls()
        columns = (ledger_entry.c.position, ledger_entry.c.kind, ledger_entry.c.subject_ref)
        which = sa.select(*columns, ledger_entry.c.leaf).where(
            ledger_entry.c.tenant_id == snap.tenant_id, ledger_entry.c.kind.like("consent.%")
        )
        for row in paged(snap.connection, which, columns[:1]):
            if row.kind in (_BAR_SET, _BAR_RELEASED, _MERGED) or _NAMES_BARS in row.leaf:
                found._take(row, facts_told(row.leaf))
        return found

    def _take(self, row: sa.Row[Any], facts: Mapping[str, Any]) -> None:
        if row.kind == _BAR_RELEASED:
            self.released.add(facts["suppression"])
        elif row.kind == _MERGED:
            self.merges.setdefault(facts["from"], []).append((row.position, row.subject_ref))
        elif row.kind == _BAR_SET:
            self.plain[facts["suppression"]] = (facts["scope"], facts["channel"], facts["reason"])
        for named in facts.get(BARS, ()):
            suppression_id, _, digest = named.partition("=")
            self.digests[suppression_id] = (digest, row.subject_ref, row.position)

    def is_same(self, snap: Snapshot, bar: StoredBar) -> bool:
        """Whether a bar is as the ledger tells; ticks it off."""
        plain = self.plain.pop(bar.suppression_id, None)
        if plain is not None and plain != (bar.scope, bar.channel, bar.reason):
            return False
        digest, left_by, position = self.digests.pop(bar.suppression_id, ("", None, 0))
        if left_by is not None and bar.origin_subject_ref != self._now(left_by, position):
            return False
        return not digest or digest == attesting.digest_of(snap, bar)

    def lost(self) -> list[str]:
        """Those that were not ticked off."""
        return list(dict.fromkeys([*self.plain, *self.digests]))

    def _now(self, subject_ref: str, position: int) -> str:
        """Whose a bar is that this person's act left there in the ledger: merges hand it over."""
        for at, into in self.merges.get(subject_ref, ()):
            if at > position:
                return self._now(into, at)
        return subject_ref
