"""decisions: drafts that are decided beside what is in force.

Revision: 0026, after 0025.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('policy_shadow',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('pack', sa.Text(), nullable=False),
    sa.Column('draft', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('started_by', sa.Text(), nullable=False),
    sa.Column('started_at', Instant(), nullable=False),
    sa.Column('until', Instant(), nullable=False),
    sa.Column('stopped_at', Instant(), nullable=True),
    sa.Column('cursor', sa.Text(), nullable=False),
    sa.Column('counted_until', Instant(), nullable=True),
    sa.Column('counts', Json(), nullable=False),
    sa.Column('because', sa.Text(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['digest'], ['policy_document.digest'], ),
    sa.PrimaryKeyConstraint('tenant_id', 'pack')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('policy_shadow')
