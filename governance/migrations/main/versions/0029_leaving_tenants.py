"""tenants: suspended, leaving, deleted.

Revision: 0029, after 0028.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("tenant", sa.Column("state", sa.Text(), server_default="active", nullable=False))
    op.add_column("tenant", sa.Column("state_since", Instant()))
    op.create_table(
        "tenant_deletion",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("deletion_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("approved_by", sa.Text()),
        sa.Column("approved_at", Instant()),
        sa.Column("due_at", Instant()),
        sa.Column("deleted_at", Instant()),
        sa.Column("rows", Json()),
        sa.Column("checkpoint", sa.Text()),
        sa.Column("certificate", sa.Text()),
        sa.PrimaryKeyConstraint("tenant_id", "deletion_id"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("tenant_deletion")
    op.drop_column("tenant", "state_since")
    op.drop_column("tenant", "state")
