"""retention: what a system said to why a record could not be ended is kept with the disposition.

Revision: 0041, after 0040.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("disposition", sa.Column("sentence", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("disposition", "sentence")
