"""leaving: links to preference pages, and what came in and must be read.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('preference_link',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('link_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('expires_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'link_id')
    )
    op.create_index('preference_link_subject', 'preference_link', ['tenant_id', 'subject_ref'], unique=False)
    op.create_table('inbound_review',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('review_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('key_ref', sa.Text(), nullable=False),
    sa.Column('content_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('leaving', sa.Boolean(), nullable=False),
    sa.Column('received_at', Instant(), nullable=False),
    sa.Column('due_at', Instant(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('resolution', sa.Text(), nullable=True),
    sa.Column('resolved_at', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'review_id')
    )
    op.create_index('inbound_review_open', 'inbound_review', ['tenant_id', 'state', 'review_id'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('inbound_review_open', table_name='inbound_review')
    op.drop_table('inbound_review')
    op.drop_index('preference_link_subject', table_name='preference_link')
    op.drop_table('preference_link')
