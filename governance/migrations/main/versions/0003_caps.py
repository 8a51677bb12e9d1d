"""caps: what they say, how much of each window is taken, and by which message.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('cap',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('cap_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('body', Json(), nullable=False),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'cap_id')
    )
    op.create_table('cap_counter',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('cap_id', sa.Text(), nullable=False),
    sa.Column('window_start', Instant(), autoincrement=False, nullable=False),
    sa.Column('window_end', Instant(), autoincrement=False, nullable=False),
    sa.Column('taken', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'subject_ref', 'cap_id', 'window_start', 'window_end'),
    sqlite_with_rowid=False
    )
    op.create_index('cap_counter_window', 'cap_counter', ['tenant_id', 'cap_id', 'window_end'], unique=False)
    op.create_table('cap_slot',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('message_ref', sa.Text(), nullable=False),
    sa.Column('cap_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('window_start', Instant(), nullable=False),
    sa.Column('window_end', Instant(), nullable=False),
    sa.Column('given_back_at', Instant(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'message_ref', 'cap_id'),
    sqlite_with_rowid=False
    )
    op.create_index('cap_slot_subject', 'cap_slot', ['tenant_id', 'subject_ref', 'window_end'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('cap_slot_subject', table_name='cap_slot')
    op.drop_table('cap_slot')
    op.drop_index('cap_counter_window', table_name='cap_counter')
    op.drop_table('cap_counter')
    op.drop_table('cap')
