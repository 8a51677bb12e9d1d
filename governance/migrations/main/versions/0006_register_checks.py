"""register checks: what look-ups in do-not-call registers said.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('register_check',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('suppression_hash', sa.Text(), nullable=False),
    sa.Column('register', sa.Text(), nullable=False),
    sa.Column('checked_at', Instant(), nullable=False),
    sa.Column('listed', sa.Boolean(), nullable=False),
    sa.Column('recorded_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'suppression_hash', 'register'),
    sqlite_with_rowid=False
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('register_check')
