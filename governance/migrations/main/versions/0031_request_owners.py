"""rights requests: who took one in, and who sees to it.

Revision: 0031, after 0030.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("rights_request", sa.Column("opened_by", sa.Text()))
    op.add_column("rights_request", sa.Column("owner", sa.Text()))


def downgrade() -> None:
    """Go back."""
    op.drop_column("rights_request", "owner")
    op.drop_column("rights_request", "opened_by")
