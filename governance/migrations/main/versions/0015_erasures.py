"""erasures: orders and their steps, one a system.

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('erasure',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('erasure_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('scope', Json(), nullable=True),
    sa.Column('request_id', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('ordered_by', sa.Text(), nullable=False),
    sa.Column('ordered_at', Instant(), nullable=False),
    sa.Column('undo_until', Instant(), nullable=False),
    sa.Column('fence_at', Instant(), nullable=True),
    sa.Column('completed_at', Instant(), nullable=True),
    sa.Column('next_at', Instant(), nullable=True),
    sa.Column('probe_at', Instant(), nullable=True),
    sa.Column('probed_at', Instant(), nullable=True),
    sa.Column('evidence_until', sa.Date(), nullable=True),
    sa.Column('evidence_shredded_at', Instant(), nullable=True),
    sa.Column('certificate', sa.Text(), nullable=True),
    sa.Column('keys_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('fence', sa.BigInteger(), nullable=False),
    sa.Column('lease_until', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'erasure_id')
    )
    op.create_index('erasure_next', 'erasure', ['tenant_id', 'next_at'], unique=False)
    op.create_index('erasure_subject', 'erasure', ['tenant_id', 'subject_ref'], unique=False)
    op.create_table('erasure_step',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('erasure_id', sa.Text(), nullable=False),
    sa.Column('system', sa.Text(), nullable=False),
    sa.Column('batch', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('data_classes', Json(), nullable=False),
    sa.Column('plan', Json(), nullable=True),
    sa.Column('kept', Json(), nullable=False),
    sa.Column('parts', Json(), nullable=False),
    sa.Column('rows', sa.BigInteger(), nullable=False),
    sa.Column('because', sa.Text(), nullable=False),
    sa.Column('next_at', Instant(), nullable=True),
    sa.Column('left', Json(), nullable=True),
    sa.Column('done_at', Instant(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'erasure_id', 'system')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('erasure_step')
    op.drop_index('erasure_subject', table_name='erasure')
    op.drop_index('erasure_next', table_name='erasure')
    op.drop_table('erasure')
