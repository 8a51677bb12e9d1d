"""opendsr: requests that other controllers send, and each status on its way to a callback.

Revision: 0022, after 0021.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('opendsr_request',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=False),
    sa.Column('subject_request_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('body_mac', sa.Text(), nullable=False),
    sa.Column('received_at', Instant(), nullable=False),
    sa.Column('expected_at', Instant(), nullable=False),
    sa.Column('callbacks_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('callbacks', sa.Integer(), nullable=False),
    sa.Column('reported', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'client_id', 'subject_request_id')
    )
    op.create_index('opendsr_request_reported', 'opendsr_request', ['tenant_id', 'reported'], unique=False)
    op.create_index('opendsr_request_rights', 'opendsr_request', ['tenant_id', 'request_id'], unique=True)
    op.create_table('opendsr_report',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('report_id', sa.Text(), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=False),
    sa.Column('subject_request_id', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('next_at', Instant(), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'report_id')
    )
    op.create_index('opendsr_report_due', 'opendsr_report', ['tenant_id', 'state', 'next_at'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('opendsr_report_due', table_name='opendsr_report')
    op.drop_table('opendsr_report')
    op.drop_index('opendsr_request_rights', table_name='opendsr_request')
    op.drop_index('opendsr_request_reported', table_name='opendsr_request')
    op.drop_table('opendsr_request')
