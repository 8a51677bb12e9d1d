"""callers: outside issuers.

Revision: 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('token_issuer',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('issuer_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('issuer', sa.Text(), nullable=False),
    sa.Column('audience', sa.Text(), nullable=False),
    sa.Column('config', Json(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'issuer_id'),
    sa.UniqueConstraint('issuer', 'audience', name='uq_token_issuer')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('token_issuer')
