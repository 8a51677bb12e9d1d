"""webhooks: where their receivers are.

Revision: 0028, after 0027.
"""

import sqlalchemy as sa
from alembic import op

revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column('webhook', sa.Column('country', sa.Text(), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column('webhook', 'country')
