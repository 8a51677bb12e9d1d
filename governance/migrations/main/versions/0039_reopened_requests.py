"""rights: requests that a granted appeal or complaint opened again.

Revision: 0039, after 0038.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("rights_request", sa.Column("reopened_at", Instant(), nullable=True))
    op.create_index("rights_request_appeal", "rights_request", ["tenant_id", "appeal_of"])
    op.create_table(
        "rights_reopening",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("appeal_id", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("partly", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "request_id", "appeal_id"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("rights_reopening")
    op.drop_index("rights_request_appeal", table_name="rights_request")
    op.drop_column("rights_request", "reopened_at")
