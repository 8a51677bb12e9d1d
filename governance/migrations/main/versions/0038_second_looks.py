"""erasure: what the second look at each system came to.

Revision: 0038, after 0037.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Json

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    with op.batch_alter_table("erasure_step") as table:
        table.add_column(sa.Column("probe", Json(), nullable=True))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("erasure_step") as table:
        table.drop_column("probe")
