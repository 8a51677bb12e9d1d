"""systems: one can be taken out of service, and is known to have been.

Revision: 0042, after 0041.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("system", sa.Column("retired_at", Instant(), nullable=True))
    op.add_column("system", sa.Column("retired_by", sa.Text(), nullable=True))
    op.add_column("system", sa.Column("retired_because", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("system", "retired_because")
    op.drop_column("system", "retired_by")
    op.drop_column("system", "retired_at")
