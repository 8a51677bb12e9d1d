"""rights: who is told of corrections and restrictions, and what was put right.

Revision: 0024, after 0023.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('rights_recipient',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('system_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('verb', sa.Text(), nullable=False),
    sa.Column('operation_id', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('because', sa.Text(), nullable=False),
    sa.Column('rows_told', sa.Integer(), nullable=False),
    sa.Column('noted_by', sa.Text(), nullable=True),
    sa.Column('next_at', Instant(), nullable=True),
    sa.Column('answered_at', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id', 'system_id', 'subject_ref', 'verb')
    )
    op.create_index('rights_recipient_due', 'rights_recipient', ['tenant_id', 'next_at'], unique=False)
    op.create_index('rights_recipient_subject', 'rights_recipient', ['tenant_id', 'subject_ref'], unique=False)
    op.create_table('rights_correction',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('changes_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('decided_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('rights_correction')
    op.drop_index('rights_recipient_subject', table_name='rights_recipient')
    op.drop_index('rights_recipient_due', table_name='rights_recipient')
    op.drop_table('rights_recipient')
