"""access: whose a credential was before.

Revision: 0034, after 0033.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "access_former_credential",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "client_id", "kind", "record_id"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("access_former_credential")
