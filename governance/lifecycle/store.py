"""Tables of the transitions that took place (explanation and evidence are sealed), and of the inactive."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata

transition = sa.Table(
    "transition",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("transition_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("from_stage", sa.Text),
    sa.Column("to_stage", sa.Text, nullable=False),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("because_sealed", sa.LargeBinary),
    sa.Column("evidence_sealed", sa.LargeBinary),
    sa.Column("decision_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("transition_subject", "tenant_id", "subject_ref", "occurred_at"),
)

inactivity_review = sa.Table(
    "inactivity_review",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("review_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("from_stage", sa.Text, nullable=False),
    sa.Column("to_stage", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("last_act_at", Instant, nullable=False),
    sa.Column("warned_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("resets_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("closed_because", sa.Text),
    sa.Column("kept_until", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("inactivity_review_subject", "tenant_id", "subject_ref", "model"),
    sa.Index("inactivity_review_state", "tenant_id", "state", "review_id"),
)


@dataclass(frozen=True, slots=True)
class StoredTransition:
    """One row. `because_sealed` and `evidence_sealed` are ciphertexts of the vault (kind evidence)."""

    transition_id: str
    subject_ref: str
    model: str
    from_stage: str | None
    to_stage: str
    occurred_at: datetime
    because_sealed: bytes | None
    evidence_sealed: bytes | None
    decision_id: str
    event_id: str


def add(connection: Connection, tenant_id: str, new: StoredTransition) -> None:
    """Insert a transition."""
    connection.execute(
        sa.insert(transition).values(
            tenant_id=tenant_id,
            transition_id=new.transition_id,
            subject_ref=new.subject_ref,
            model=new.model,
            from_stage=new.from_stage,
            to_stage=new.to_stage,
            occurred_at=new.occurred_at,
            because_sealed=new.because_sealed,
            evidence_sealed=new.evidence_sealed,
            decision_id=new.decision_id,
            event_id=new.event_id,
        )
    )


def of_subject(connection: Connection, tenant_id: str, subject_ref: str) -> list[StoredTransition]:
    """A person's transitions in all models, oldest first."""
    rows = connection.execute(
        sa.select(transition)
        .where(transition.c.tenant_id == tenant_id, transition.c.subject_ref == subject_ref)
        .order_by(transition.c.occurred_at, transition.c.transition_id)
    )
    return [
        StoredTransition(
            row.transition_id,
            row.subject_ref,
            row.model,
            row.from_stage,
            row.to_stage,
            row.occurred_at,
            row.because_sealed,
            row.evidence_sealed,
            row.decision_id,
            row.event_id,
        )
        for row in rows
    ]
