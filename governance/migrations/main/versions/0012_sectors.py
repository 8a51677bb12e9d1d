"""sectors: what a tenant declares to work in, by which packs of rules apply.

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column('tenant', sa.Column('sectors', sa.Text(), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column('tenant', 'sectors')
