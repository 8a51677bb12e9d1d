"""erasures: what retention knew of the person, by which policies days were reckoned, and what has no day.

Revision: 0037, after 0036.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("erasure", sa.Column("facts_sealed", sa.LargeBinary()))
    op.add_column("erasure", sa.Column("weighed_under", sa.Text()))
    op.add_column("erasure", sa.Column("undated_since", Instant()))


def downgrade() -> None:
    """Go back."""
    op.drop_column("erasure", "undated_since")
    op.drop_column("erasure", "weighed_under")
    op.drop_column("erasure", "facts_sealed")
