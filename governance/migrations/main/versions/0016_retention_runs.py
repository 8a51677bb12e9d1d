"""retention runs, and the dispositions that they propose.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

_OPEN = "state IN ('proposed', 'approved', 'executing')"


def upgrade() -> None:
    """Go forward."""
    op.create_table('retention_run',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('dry_run', sa.Boolean(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('started_by', sa.Text(), nullable=False),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('evaluated_at', Instant(), nullable=True),
    sa.Column('finished_at', Instant(), nullable=True),
    sa.Column('policy', sa.Text(), nullable=True),
    sa.Column('tally', Json(), nullable=True),
    sa.Column('before_run', sa.Text(), nullable=True),
    sa.Column('diff', Json(), nullable=True),
    sa.Column('within_limit', sa.Boolean(), nullable=True),
    sa.Column('decided_by', sa.Text(), nullable=True),
    sa.Column('decided_at', Instant(), nullable=True),
    sa.Column('failure', sa.Text(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('lease_until', Instant(), nullable=True),
    sa.Column('progress', sa.BigInteger(), nullable=False),
    sa.Column('cursor', Json(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'run_id')
    )
    op.create_index('retention_run_status', 'retention_run', ['tenant_id', 'status', 'run_id'], unique=False)
    op.create_table('disposition',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('disposition_id', sa.Text(), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('system', sa.Text(), nullable=False),
    sa.Column('record_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=True),
    sa.Column('data_class', sa.Text(), nullable=False),
    sa.Column('demand', sa.Text(), nullable=False),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('kept_until', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('because', sa.Text(), nullable=True),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('rows_changed', sa.BigInteger(), nullable=True),
    sa.Column('proposed_at', Instant(), nullable=False),
    sa.Column('changed_at', Instant(), nullable=False),
    sa.Column('decided_by', sa.Text(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('lease_until', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'disposition_id')
    )
    op.create_index('disposition_open', 'disposition', ['tenant_id', 'system', 'record_id'], unique=True,
                    sqlite_where=sa.text(_OPEN), postgresql_where=sa.text(_OPEN))
    op.create_index('disposition_run', 'disposition', ['tenant_id', 'run_id', 'state'], unique=False)
    op.create_index('disposition_state', 'disposition', ['tenant_id', 'state', 'disposition_id'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('disposition_state', table_name='disposition')
    op.drop_index('disposition_run', table_name='disposition')
    op.drop_index('disposition_open', table_name='disposition')
    op.drop_table('disposition')
    op.drop_index('retention_run_status', table_name='retention_run')
    op.drop_table('retention_run')
