"""Tables of changing policy: drafts that are written, and proposals that somebody else decides about."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, metadata

policy_draft = sa.Table(
    "policy_draft",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("pack", sa.Text, primary_key=True),
    # As it was sent, so that a later complaint names the line that its writer sees.
    sa.Column("texts", Json, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("written_by", sa.Text, nullable=False),
    sa.Column("written_at", Instant, nullable=False),
    sa.Column("proposal_id", sa.Text),
    sa.Column("event_id", sa.Text, nullable=False),
)

policy_proposal = sa.Table(
    "policy_proposal",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("proposal_id", sa.Text, primary_key=True),
    sa.Column("pack", sa.Text, nullable=False),
    # open, activated, scheduled, cancelled, rejected, outdated
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("draft", sa.Text, nullable=False),
    sa.Column("base", sa.Text, nullable=False),
    sa.Column("candidate", sa.Text, sa.ForeignKey("policy_document.digest"), nullable=False),
    sa.Column("proposed_by", sa.Text, nullable=False),
    sa.Column("proposed_at", Instant, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("activate_at", Instant),
    sa.Column("changes", Json, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", Instant),
    sa.Column("reason", sa.Text),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("policy_proposal_pack", "tenant_id", "pack", "proposal_id"),
)


def find_draft(connection: Connection, tenant_id: str, pack: str) -> sa.RowMapping | None:
    """The draft of a pack."""
    query = sa.select(policy_draft).where(policy_draft.c.tenant_id == tenant_id, policy_draft.c.pack == pack)
    return connection.execute(query).mappings().one_or_none()


def drafts(connection: Connection, tenant_id: str) -> list[sa.RowMapping]:
    """(pack, digest, state) of all drafts of a tenant, by pack; the state is that of the proposal or None."""
    here, proposal = policy_draft.c, policy_proposal.c
    proposed = sa.and_(proposal.tenant_id == here.tenant_id, proposal.proposal_id == here.proposal_id)
    query = (
        sa.select(here.pack, here.digest, proposal.state)
        .select_from(policy_draft.outerjoin(policy_proposal, proposed))
        .where(here.tenant_id == tenant_id)
        .order_by(here.pack)
    )
    return list(connection.execute(query).mappings())


def write_draft(connection: Connection, tenant_id: str, pack: str, values: dict[str, Any], new: bool) -> None:
    """Write the draft of a pack; `values` are its columns."""
    if new:
        row = {"tenant_id": tenant_id, "pack": pack, **values}
        connection.execute(sa.insert(policy_draft).values(row))
    else:
        update_draft(connection, tenant_id, pack, values)


def update_draft(connection: Connection, tenant_id: str, pack: str, values: dict[str, Any]) -> None:
    """Change columns of the draft of a pack."""
    connection.execute(
        sa.update(policy_draft)
        .where(policy_draft.c.tenant_id == tenant_id, policy_draft.c.pack == pack)
        .values(values)
    )


def drop_draft(connection: Connection, tenant_id: str, pack: str) -> None:
    """Forget the draft of a pack."""
    connection.execute(
        sa.delete(policy_draft).where(policy_draft.c.tenant_id == tenant_id, policy_draft.c.pack == pack)
    )


def add_proposal(connection: Connection, values: dict[str, Any]) -> None:
    """Add a row of `policy_proposal`; `values` are its columns."""
    connection.execute(sa.insert(policy_proposal).values(values))


def find_proposal(connection: Connection, tenant_id: str, proposal_id: str) -> sa.RowMapping | None:
    """The proposal of this id."""
    query = sa.select(policy_proposal).where(
        policy_proposal.c.tenant_id == tenant_id, policy_proposal.c.proposal_id == proposal_id
    )
    return connection.execute(query).mappings().one_or_none()


def was_approved(connection: Connection, tenant_id: str, pack: str, draft: str) -> bool:
    """Whether somebody has approved this very draft."""
    query = sa.select(policy_proposal.c.proposal_id).where(
        policy_proposal.c.tenant_id == tenant_id,
        policy_proposal.c.pack == pack,
        policy_proposal.c.draft == draft,
        policy_proposal.c.state.in_(("activated", "scheduled")),
    )
    return connection.execute(query.limit(1)).first() is not None


def update_proposal(connection: Connection, tenant_id: str, proposal_id: str, values: dict[str, Any]) -> None:
    """Change columns of a proposal: what became of it."""
    connection.execute(
        sa.update(policy_proposal)
        .where(policy_proposal.c.tenant_id == tenant_id, policy_proposal.c.proposal_id == proposal_id)
        .values(values)
    )
