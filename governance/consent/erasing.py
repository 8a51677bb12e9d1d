"""What a person refused outlives the person's record: it moves to the contact points, by keyed hash.

Objections and withdrawals bind a person; once the person is erased nobody is left whom they bind, and the
same address, met again in a list, would be written to. So before the record is blanked every standing no
becomes a bar on each of the person's contact points. A bar yields to whoever consents anew, as any left by a
withdrawal does; a suppression yields to its release only (GDPR Art. 17(3)(b), 21(3)).
"""

from collections.abc import Iterator

from governance.consent import store, suppression_store
from governance.consent.kinds import CONSENT, OBJECTION, SCOPE_KIND
from governance.consent.model import Cell
from governance.consent.resolving import is_later
from governance.consent.suppression_store import StoredBar
from governance.subjects import service as subjects
from governance.subjects.model import ContactPoint
from governance.work import Work

REASON = "erasure"
_SCOPES = {kind: scope for scope, kind in SCOPE_KIND.items()}


def carry_noes(work: Work, subject_ref: str) -> int:
    """Bar the person's contact points for what the person refused; gives how many bars were set.

    Call it once, before the contact points are dropped; it needs no key.
    """
    cells = [
        cell
        for cell in store.cells_of(work.connection, work.tenant_id, subject_ref).values()
        if cell.neg_status and not is_later(cell, cell)
    ]
    points = subjects.points(work, subject_ref)
    event_id = work.new_id("evt")
    bars = [bar for cell in cells for bar in _bars(work, cell, points, event_id)]
    if bars:
        suppression_store.add(work.connection, work.tenant_id, bars)
        work.record(
            "consent.noes_carried", subject_ref=subject_ref, facts={"bars": len(bars)}, event_id=event_id
        )
    return len(bars)


def _bars(work: Work, cell: Cell, points: list[ContactPoint], event_id: str) -> Iterator[StoredBar]:
    """The bars that stand for one no. Profiling and the night are no matters of an address."""
    scope = "purpose" if cell.kind in (CONSENT, OBJECTION) else _SCOPES.get(cell.kind)
    if scope is None:
        return
    for point in points:
        if cell.point_ref in ("", point.point_ref):
            yield StoredBar(
                suppression_hash=point.suppression_hash,
                suppression_id=work.new_id("sup"),
                scope=scope,
                purpose=cell.purpose,
                controller=cell.controller,
                channel=cell.channel,
                topic=cell.topic,
                origin_subject_ref=None,
                reason=REASON,
                occurred_at=cell.neg_at or work.now,
                recorded_at=work.now,
                released_at=None,
                event_id=event_id,
            )
