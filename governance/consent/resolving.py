"""The rules of consent: which cell covers which question, and which answer wins. Pure.

1. A *no* (withdrawal, refusal, objection) that covers the question stands until a *lifting* grant:
   later in the person's sequence **and** in `occurred_at`, by the person's own act, proven, not run out,
   and covering the question. Anything in doubt leaves the no standing.
2. A *yes* covers only its own contact point; a no covers all of the person's, present and future.
3. Empty text means *all* in a cell. A question whose topic is None or whose controller is empty has not said
   it: then every no counts, and only a yes for all of them does. Leaving a word out must never open what
   naming it closes. (Topic '' says: on no topic in particular.)
4. Suppressions are lifted by release only, never by a grant; the bar that somebody else's withdrawal put on a
   shared contact point yields to one's own later grant.
5. Consent to the night is an act of its own: a general yes never means it, every no covers it. After a no it
   has to be given anew, and so has a guardian's consent.

Sources: Regulation (EU) 2016/679 Art. 7(1), 7(3), 21(2)-(3); 15 U.S.C. 7704(a)(4).
"""

from collections.abc import Sequence
from datetime import datetime

from governance.consent.kinds import (
    ACT_KINDS,
    CONSENT,
    GUARDIAN,
    NIGHT,
    OBJECTION,
    PROFILING,
    SCOPE_KIND,
    SUPPRESSION,
    SUPPRESSION_ALL,
    UNDELIVERABLE,
)
from governance.consent.model import ALL, NOTHING, Cell, ConsentFacts, PointBar, Question

PROFILING_PURPOSE = "profiling"
"""The purpose whose grant lifts an objection to profiling."""


def no_covers(cell: Cell | PointBar, question: Question) -> bool:
    """Whether a no at this cell speaks about the question.

    What the question leaves open counts as touched.
    """
    return (
        (not cell.purpose or cell.purpose == question.purpose)
        and (not cell.channel or cell.channel == question.channel)
        and (not cell.controller or not question.controller or cell.controller == question.controller)
        and (not cell.topic or question.topic is None or cell.topic == question.topic)
    )


def yes_covers(cell: Cell, question: Question) -> bool:
    """Whether a yes at this cell speaks about the question; it must be as wide, and on the same point."""
    return (
        cell.point_ref == (question.point_ref or ALL)
        and (not cell.purpose or cell.purpose == question.purpose)
        and (not cell.channel or cell.channel == question.channel)
        and (not cell.controller or cell.controller == question.controller)
        and (not cell.topic or cell.topic == question.topic)
    )


def is_later(yes: Cell, no: Cell) -> bool:
    """Whether the yes is later than the no both in sequence and in time; ties leave the no standing."""
    if yes.pos_seq is None or yes.pos_at is None:
        return False
    if no.neg_seq is None or no.neg_at is None:
        return True
    return yes.pos_seq > no.neg_seq and yes.pos_at > no.neg_at


def resolve(
    cells: Sequence[Cell], question: Question, point_bars: Sequence[PointBar], now: datetime
) -> ConsentFacts:
    """Answer a question from a person's cells and the bars on the contact point asked about, at `now`."""
    if not cells and not point_bars:
        return NOTHING
    noes: list[Cell] = []
    acts: list[Cell] = []
    grants: list[Cell] = []
    expired: list[Cell] = []
    pending: Cell | None = None
    claimed: Cell | None = None
    held: set[str] = set()
    used: list[str | None] = []
    nightly: list[Cell] = []
    for cell in cells:
        if cell.kind == NIGHT:
            nightly.append(cell)
            continue
        if cell.neg_status and no_covers(cell, question):
            if cell.kind in (CONSENT, OBJECTION, PROFILING):
                noes.append(cell)
            elif not cell.point_ref or cell.point_ref == question.point_ref:
                held.add(cell.kind)
                used.append(cell.neg_event_id)
        if cell.pos_status and yes_covers(cell, question):
            over = cell.pos_expires_at is not None and cell.pos_expires_at <= now
            if cell.pos_status == "granted":
                (expired if over else grants).append(cell)
                if not over and cell.kind in ACT_KINDS and cell.pos_by_person:
                    acts.append(cell)
            elif over:
                continue
            elif cell.pos_status == "requested":
                pending = cell
            else:
                claimed = cell
    if pending is not None and any(
        (act.pos_seq or 0) > (pending.pos_seq or 0) for act in (*acts, *expired) if act.kind in ACT_KINDS
    ):
        pending = None  # answered: the person granted after asking
    standing = [no for no in noes if not _lifted(no, acts)]
    refusal = _latest_no([no for no in standing if no.kind == CONSENT])
    objection = _strongest_objection(standing)
    for bar in point_bars:
        if no_covers(bar, question) and not _own_or_lifted(bar, question, acts):
            held.add(SCOPE_KIND.get(bar.scope, SUPPRESSION))
            used.append(bar.event_id)
    grant = _latest_yes(grants)
    chosen = refusal or grant or pending or claimed or _latest_yes(expired)
    status, since = "none", None
    if refusal is not None:
        status, since = refusal.neg_status or "withdrawn", refusal.neg_at
        used.insert(0, refusal.neg_event_id)
    elif chosen is not None:
        status, since = chosen.pos_status or "none", chosen.pos_at
        if grant is None and pending is None and claimed is None:
            status = "expired"
        used.insert(0, chosen.pos_event_id)
    dated = chosen if status in ("granted", "expired") else None
    if objection is not None:
        used.append(objection.neg_event_id)
    return ConsentFacts(
        status=status,
        since=since,
        age_anchor=dated.pos_at if dated else None,
        expires_at=dated.pos_expires_at if dated else None,
        objection=(objection.neg_status or "none") if objection else "none",
        suppressed_marketing=SUPPRESSION in held,
        suppressed_all=SUPPRESSION_ALL in held,
        undeliverable=UNDELIVERABLE in held,
        pending_request=pending is not None and all(is_later(pending, no) for no in standing),
        guardian=status == "granted" and _by_guardian(grants, noes),
        night=_at_night(nightly, noes, question, now),
        grant_event_id=dated.pos_event_id if dated and status == "granted" else None,
        event_ids=tuple(dict.fromkeys(ref for ref in used if ref)),
    )


def _by_guardian(grants: Sequence[Cell], noes: Sequence[Cell]) -> bool:
    """Whether a guardian's grant stands: the child's own later yes does not bring back what a no ended."""
    against = [no for no in noes if no.kind != PROFILING]
    return any(grant.kind == GUARDIAN and all(is_later(grant, no) for no in against) for grant in grants)


def _at_night(nightly: Sequence[Cell], noes: Sequence[Cell], question: Question, now: datetime) -> bool:
    """Whether a consent to the night stands: one that is later than every no, lifted since or not."""
    against = [no for no in noes if no.kind != PROFILING]
    against += [cell for cell in nightly if cell.neg_status and no_covers(cell, question)]
    return any(
        yes.pos_status == "granted"
        and yes_covers(yes, question)
        and not (yes.pos_expires_at is not None and yes.pos_expires_at <= now)
        and (not against or yes.pos_by_person)
        and all(is_later(yes, no) for no in against)
        for yes in nightly
    )


def _lifted(no: Cell, acts: Sequence[Cell]) -> bool:
    if no.kind == PROFILING:
        return any(act.purpose == PROFILING_PURPOSE and is_later(act, no) for act in acts)
    return any(is_later(act, no) for act in acts)


def _own_or_lifted(bar: PointBar, question: Question, acts: Sequence[Cell]) -> bool:
    """Whether a bar left by a withdrawal says nothing here: it is one's own, or one granted after it.

    Sequences of two people cannot be compared; a grant that *happened* after the bar was *recorded* is later
    in both senses, because nothing is recorded before it happens.
    """
    if bar.scope != "purpose":
        return False
    if bar.origin_subject_ref == question.subject_ref:
        return True
    return any(
        act.pos_at is not None and bar.recorded_at is not None and act.pos_at > bar.recorded_at
        for act in acts
    )


def _latest_no(cells: Sequence[Cell]) -> Cell | None:
    return max(cells, key=lambda cell: cell.neg_seq or 0, default=None)


def _latest_yes(cells: Sequence[Cell]) -> Cell | None:
    return max(cells, key=lambda cell: (cell.pos_at, cell.pos_seq), default=None)


_OBJECTION_RANK = {"marketing": 3, "purpose": 2, "profiling": 1}


def _strongest_objection(cells: Sequence[Cell]) -> Cell | None:
    objections = [cell for cell in cells if cell.kind in (OBJECTION, PROFILING)]
    return max(objections, key=lambda cell: _OBJECTION_RANK.get(cell.neg_status or "", 0), default=None)
