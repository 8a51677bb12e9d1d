"""connected systems: the register, what was asked of them, tasks for people.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('system',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('system_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('country', sa.Text(), nullable=True),
    sa.Column('processor', sa.Text(), nullable=True),
    sa.Column('config', Json(), nullable=False),
    sa.Column('data_classes', Json(), nullable=False),
    sa.Column('depends_on', Json(), nullable=False),
    sa.Column('secrets', Json(), nullable=False),
    sa.Column('secrets_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'system_id')
    )
    op.create_table('system_operation',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('operation_id', sa.Text(), nullable=False),
    sa.Column('system_id', sa.Text(), nullable=False),
    sa.Column('verb', sa.Text(), nullable=False),
    sa.Column('asked_sha256', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('remembered', Json(), nullable=False),
    sa.Column('outcome', Json(), nullable=True),
    sa.Column('reference', sa.Text(), nullable=True),
    sa.Column('check_after', Instant(), nullable=True),
    sa.Column('items_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'operation_id')
    )
    op.create_index('system_operation_reference', 'system_operation', ['tenant_id', 'system_id', 'reference'])
    op.create_index('system_operation_status', 'system_operation', ['tenant_id', 'status', 'check_after'])
    op.create_table('system_task',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('task_id', sa.Text(), nullable=False),
    sa.Column('operation_id', sa.Text(), nullable=False),
    sa.Column('system_id', sa.Text(), nullable=False),
    sa.Column('verb', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('due_at', Instant(), nullable=False),
    sa.Column('instructions_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('evidence_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('done_at', Instant(), nullable=True),
    sa.Column('done_by', sa.Text(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'task_id')
    )
    op.create_index('system_task_state', 'system_task', ['tenant_id', 'state', 'task_id'])
    op.create_index('system_task_operation', 'system_task', ['tenant_id', 'operation_id'])


def downgrade() -> None:
    """Go back."""
    op.drop_table('system_task')
    op.drop_table('system_operation')
    op.drop_table('system')
