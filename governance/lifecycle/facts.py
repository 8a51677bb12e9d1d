"""The one query of the lifecycle gate: a person's standing, and the stage of the model asked about."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.lifecycle.model import Standing
from governance.subjects.model import RELATIONSHIP
from governance.subjects.store import subject, subject_stage

ACTS = (
    subject.c.last_purchase_at,
    subject.c.last_inquiry_at,
    subject.c.last_contact_at,
    subject.c.contract_ended_at,
    subject.c.subscription_ended_at,
)
"""When the person last did something that counts. That a message was opened counts nowhere."""


def standing(connection: Connection, tenant_id: str, subject_ref: str | None, model: str) -> Standing:
    """What is so about a person now; of nobody (None, or a reference that leads nowhere) nothing is known."""
    if subject_ref is None:
        return Standing(False)
    in_model = subject.outerjoin(
        subject_stage,
        sa.and_(
            subject_stage.c.tenant_id == subject.c.tenant_id,
            subject_stage.c.subject_ref == subject.c.subject_ref,
            subject_stage.c.model == model,
        ),
    )
    row = connection.execute(
        sa.select(
            subject.c.stage_relationship if model == RELATIONSHIP else subject_stage.c.stage,
            subject.c.restricted,
            subject.c.erasure_pending,
            subject.c.erased,
            subject.c.held,
            subject.c.contract_state,
            subject.c.last_contact_at,
            subject.c.notice_given,
            subject.c.invoice_open,
            subject.c.warranty_open,
            subject.c.dispute_open,
            subject.c.subscription_state,
            subject.c.stage_since if model == RELATIONSHIP else subject_stage.c.since,
            *ACTS,
        )
        .select_from(in_model)
        .where(subject.c.tenant_id == tenant_id, subject.c.subject_ref == subject_ref)
    ).one_or_none()
    if row is None:
        return Standing(False)
    acts = row[-len(ACTS) - 1 :]
    last_act = max((act for act in acts if act is not None), default=None)
    known = [*row[: -len(ACTS) - 1], last_act]
    return Standing(True, subject_ref, *known)
