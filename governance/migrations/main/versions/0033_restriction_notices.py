"""rights: letters that a restriction is about to be lifted.

Revision: 0033, after 0032.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "restriction_notice",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("subject_ref", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("lifted_at", Instant(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "notice_id"),
    )
    op.create_index(
        "restriction_notice_subject", "restriction_notice", ["tenant_id", "subject_ref", "notice_id"]
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("restriction_notice_subject", table_name="restriction_notice")
    op.drop_table("restriction_notice")
