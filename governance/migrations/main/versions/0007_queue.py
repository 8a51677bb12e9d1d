"""queue: due slots, leases and fences.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('queue_kind',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('every_seconds', sa.BigInteger(), nullable=True),
    sa.Column('latest', Instant(), nullable=True),
    sa.Column('missed', sa.BigInteger(), nullable=False),
    sa.Column('overlapped', sa.BigInteger(), nullable=False),
    sa.Column('runs', sa.BigInteger(), nullable=False),
    sa.Column('failures', sa.BigInteger(), nullable=False),
    sa.Column('given_up', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('kind')
    )
    op.create_table('queue_slot',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('slot', sa.Text(), nullable=False),
    sa.Column('due_at', Instant(), nullable=False),
    sa.Column('stands_for', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('next_at', Instant(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('fence', sa.BigInteger(), nullable=False),
    sa.Column('until', Instant(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('started_at', Instant(), nullable=True),
    sa.Column('ended_at', Instant(), nullable=True),
    sa.Column('done', sa.BigInteger(), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('kind', 'slot')
    )
    op.create_index('queue_slot_due', 'queue_slot', ['state', 'next_at'], unique=False)
    op.create_index('queue_slot_leased', 'queue_slot', ['state', 'until'], unique=False)
    op.create_index('queue_slot_ended', 'queue_slot', ['kind', 'ended_at'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('queue_slot_ended', table_name='queue_slot')
    op.drop_index('queue_slot_leased', table_name='queue_slot')
    op.drop_index('queue_slot_due', table_name='queue_slot')
    op.drop_table('queue_slot')
    op.drop_table('queue_kind')
