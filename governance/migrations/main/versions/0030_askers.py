"""tenants: whose questions are answered.

Revision: 0030, after 0029.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("tenant", sa.Column("askers", sa.Text()))


def downgrade() -> None:
    """Go back."""
    op.drop_column("tenant", "askers")
