"""The end of what this service wrote about people: checks, acts, messages, proofs of consent.

Each kind gives rows that are old, in order, and ends those that retention let go. A check is emptied and its
commitment stays, so that the batch still proves that nothing was added or taken away; of a proof of consent
the sealed payload goes and the ledger's leaf stays. Repeated or killed at any line nothing is done twice.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from governance.communications.store import message, message_outcome, message_refusal
from governance.decisions.service import DecisionLog
from governance.decisions.store import decision, logged_decision
from governance.ledger.store import ledger_entry
from governance.retention.own import OldRow
from governance.work import Snapshot, Work

_CONSENT = "consent.%"


def checks(snap: Snapshot, before: datetime, after: str, limit: int) -> list[OldRow]:
    """Checks in the decision log that still say something."""
    row = logged_decision.c
    query = (
        sa.select(row.decision_id, row.subject_ref, row.at)
        .where(
            row.tenant_id == snap.tenant_id,
            row.decision_id > after,
            row.at < before,
            row.body.is_not(None),
            row.batch_id.is_not(None),
        )
        .order_by(row.decision_id)
        .limit(limit)
    )
    with snap.resource(DecisionLog).engine.connect() as connection:
        found = connection.execute(query).all()
    return [OldRow(each.decision_id, _one(each.subject_ref), each.at) for each in found]


def end_checks(work: Work, ids: Sequence[str]) -> None:
    """Empty checks: what was asked, known and answered, and the salt."""
    row = logged_decision.c
    with work.resource(DecisionLog).engine.begin() as connection:
        connection.execute(
            sa.update(logged_decision)
            .where(row.tenant_id == work.tenant_id, row.decision_id.in_(ids))
            .values(subject_ref=None, body=None, salt=None, codes="", caller_ref="")
        )


def acts(snap: Snapshot, before: datetime, after: str, limit: int) -> list[OldRow]:
    """Decisions behind acts; that of a message that is still kept stays with it."""
    row = decision.c
    kept = sa.select(message.c.decision_id).where(
        message.c.tenant_id == row.tenant_id, message.c.decision_id == row.decision_id
    )
    query = (
        sa.select(row.decision_id, row.subject_ref, row.at)
        .where(row.tenant_id == snap.tenant_id, row.decision_id > after, row.at < before, ~kept.exists())
        .order_by(row.decision_id)
        .limit(limit)
    )
    found = snap.connection.execute(query)
    return [OldRow(each.decision_id, _one(each.subject_ref), each.at) for each in found]


def end_acts(work: Work, ids: Sequence[str]) -> None:
    """Delete decisions behind acts."""
    row = decision.c
    work.connection.execute(
        sa.delete(decision).where(row.tenant_id == work.tenant_id, row.decision_id.in_(ids))
    )


def messages(snap: Snapshot, before: datetime, after: str, limit: int) -> list[OldRow]:
    """Messages that were authorised long ago."""
    row = message.c
    query = (
        sa.select(row.message_ref, row.subject_ref, row.authorised_at)
        .where(row.tenant_id == snap.tenant_id, row.message_ref > after, row.authorised_at < before)
        .order_by(row.message_ref)
        .limit(limit)
    )
    found = snap.connection.execute(query)
    return [OldRow(each.message_ref, (each.subject_ref,), each.authorised_at) for each in found]


def end_messages(work: Work, ids: Sequence[str]) -> None:
    """Delete messages with their outcomes and the decisions that refused a repeat."""
    for table in (message_outcome, message_refusal, message):
        work.connection.execute(
            sa.delete(table).where(table.c.tenant_id == work.tenant_id, table.c.message_ref.in_(ids))
        )


def proofs(snap: Snapshot, before: datetime, after: str, limit: int) -> list[OldRow]:
    """Sealed payloads of consent events; ids are positions with leading zeros."""
    row = ledger_entry.c
    query = (
        sa.select(row.position, row.subject_ref, row.at)
        .where(
            row.tenant_id == snap.tenant_id,
            row.position > int(after or -1),
            row.at < before,
            row.kind.like(_CONSENT),
            row.subject_ref.is_not(None),
            row.payload.is_not(None),
        )
        .order_by(row.position)
        .limit(limit)
    )
    found = snap.connection.execute(query)
    return [OldRow(f"{each.position:020d}", (each.subject_ref,), each.at) for each in found]


def end_proofs(work: Work, ids: Sequence[str]) -> None:
    """Take the sealed payloads out of the ledger; leaves, hashes and proofs stay as they are."""
    row = ledger_entry.c
    work.connection.execute(
        sa.update(ledger_entry)
        .where(row.tenant_id == work.tenant_id, row.position.in_([int(each) for each in ids]))
        .values(payload=None)
    )


def _one(subject_ref: str | None) -> tuple[str, ...]:
    return () if subject_ref is None else (subject_ref,)
