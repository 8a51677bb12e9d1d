"""screenings: overlap of reasons, lines of files that hold no id; messages: repeats that were refused.

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column('screening', sa.Column('overlap', Json(), nullable=True))
    op.create_table('screening_rejected',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('screening_id', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('lines', sa.LargeBinary(), nullable=False),
    sa.Column('faults', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'screening_id', 'number')
    )
    op.create_table('message_refusal',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('message_ref', sa.Text(), nullable=False),
    sa.Column('decision_id', sa.Text(), nullable=False),
    sa.Column('refused_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'message_ref', 'decision_id'),
    sqlite_with_rowid=False
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('message_refusal')
    op.drop_table('screening_rejected')
    op.drop_column('screening', 'overlap')
