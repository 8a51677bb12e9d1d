"""access: roles, components, staff, credentials, and grants behind broken glass.

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('access_record',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('record_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('body', Json(), nullable=False),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'kind', 'record_id')
    )
    op.create_table('access_credential',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('record_id', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'client_id')
    )
    op.create_table('break_glass',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('grant_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('asker_type', sa.Text(), nullable=False),
    sa.Column('asker_id', sa.Text(), nullable=False),
    sa.Column('opened_by', sa.Text(), nullable=False),
    sa.Column('fields', Json(), nullable=False),
    sa.Column('reason_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('opened_at', Instant(), nullable=False),
    sa.Column('expires_at', Instant(), nullable=False),
    sa.Column('review', sa.Text(), nullable=False),
    sa.Column('reviewed_by', sa.Text(), nullable=True),
    sa.Column('reviewed_at', Instant(), nullable=True),
    sa.Column('note_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'grant_id')
    )
    op.create_index(
        'break_glass_subject', 'break_glass', ['tenant_id', 'subject_ref', 'expires_at'], unique=False
    )
    op.create_index('break_glass_review', 'break_glass', ['tenant_id', 'review', 'grant_id'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('break_glass_review', table_name='break_glass')
    op.drop_index('break_glass_subject', table_name='break_glass')
    op.drop_table('break_glass')
    op.drop_table('access_credential')
    op.drop_table('access_record')
