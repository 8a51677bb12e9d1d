"""communications: exceptions from a forbid, by two people, for a time.

Revision: 0027, after 0026.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('policy_override',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('override_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('requested_by', sa.Text(), nullable=False),
    sa.Column('requested_at', Instant(), nullable=False),
    sa.Column('expires_at', Instant(), nullable=False),
    sa.Column('decided_by', sa.Text(), nullable=True),
    sa.Column('decided_at', Instant(), nullable=True),
    sa.Column('ended_by', sa.Text(), nullable=True),
    sa.Column('ended_at', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'override_id')
    )
    op.create_index('policy_override_state', 'policy_override', ['tenant_id', 'state', 'expires_at'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('policy_override_state', table_name='policy_override')
    op.drop_table('policy_override')
