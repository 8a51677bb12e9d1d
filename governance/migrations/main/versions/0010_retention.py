"""retention: legal holds, registered records, a tenant's own settings.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('legal_hold',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('hold_id', sa.Text(), nullable=False),
    sa.Column('scope_kind', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=True),
    sa.Column('scope', Json(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('placed_by', sa.Text(), nullable=False),
    sa.Column('placed_at', Instant(), nullable=False),
    sa.Column('expires_at', Instant(), nullable=True),
    sa.Column('closed_at', Instant(), nullable=True),
    sa.Column('closed_by', sa.Text(), nullable=True),
    sa.Column('noticed', sa.Integer(), nullable=True),
    sa.Column('matter_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('reason_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'hold_id')
    )
    op.create_index('legal_hold_state', 'legal_hold', ['tenant_id', 'state', 'hold_id'], unique=False)
    op.create_index('legal_hold_subject', 'legal_hold', ['tenant_id', 'subject_ref'], unique=False)
    op.create_table('governed_record',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('system', sa.Text(), nullable=False),
    sa.Column('record_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=True),
    sa.Column('data_class', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=True),
    sa.Column('jurisdiction', sa.Text(), nullable=True),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('closed_at', Instant(), nullable=True),
    sa.Column('registered_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'system', 'record_id'),
    sqlite_with_rowid=False
    )
    op.create_index('governed_record_subject', 'governed_record', ['tenant_id', 'subject_ref', 'data_class'], unique=False)
    op.create_table('retention_setting',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('financial_year_end', sa.Text(), nullable=False),
    sa.Column('most_share', sa.Integer(), nullable=False),
    sa.Column('most_count', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('retention_setting')
    op.drop_index('governed_record_subject', table_name='governed_record')
    op.drop_table('governed_record')
    op.drop_index('legal_hold_subject', table_name='legal_hold')
    op.drop_index('legal_hold_state', table_name='legal_hold')
    op.drop_table('legal_hold')
