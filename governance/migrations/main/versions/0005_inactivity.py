"""the inactive who were warned of, and what became of them.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('inactivity_review',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('review_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('from_stage', sa.Text(), nullable=False),
    sa.Column('to_stage', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('last_act_at', Instant(), nullable=False),
    sa.Column('warned_at', Instant(), nullable=False),
    sa.Column('due_at', Instant(), nullable=False),
    sa.Column('resets_at', Instant(), nullable=False),
    sa.Column('closed_at', Instant(), nullable=True),
    sa.Column('closed_because', sa.Text(), nullable=True),
    sa.Column('kept_until', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'review_id')
    )
    op.create_index('inactivity_review_subject', 'inactivity_review', ['tenant_id', 'subject_ref', 'model'], unique=False)
    op.create_index('inactivity_review_state', 'inactivity_review', ['tenant_id', 'state', 'review_id'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('inactivity_review_state', table_name='inactivity_review')
    op.drop_index('inactivity_review_subject', table_name='inactivity_review')
    op.drop_table('inactivity_review')
