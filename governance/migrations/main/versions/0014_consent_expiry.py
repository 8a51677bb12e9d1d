"""consent expiry: the end of grants, noted once; grants with an end are found by an index.

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

WITH_AN_END = sa.text('pos_expires_at IS NOT NULL')


def upgrade() -> None:
    """Go forward."""
    op.create_table('consent_expiry',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('grant_event_id', sa.Text(), nullable=False),
    sa.Column('expired_at', Instant(), nullable=False),
    sa.Column('noted_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'subject_ref', 'grant_event_id'),
    sqlite_with_rowid=False
    )
    op.create_index('consent_state_expiry', 'consent_state', ['tenant_id', 'pos_expires_at'], unique=False, sqlite_where=WITH_AN_END, postgresql_where=WITH_AN_END)


def downgrade() -> None:
    """Go back."""
    op.drop_index('consent_state_expiry', table_name='consent_state', sqlite_where=WITH_AN_END, postgresql_where=WITH_AN_END)
    op.drop_table('consent_expiry')
