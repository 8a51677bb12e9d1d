"""webhooks: where events go, how far each is, and what is on its way.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('webhook',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('webhook_id', sa.Text(), nullable=False),
    sa.Column('ref', sa.Text(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('types', Json(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('because', sa.Text(), nullable=True),
    sa.Column('secret_version', sa.Integer(), nullable=False),
    sa.Column('secret_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('previous_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('previous_until', Instant(), nullable=True),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'webhook_id')
    )
    op.create_table('webhook_cursor',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('webhook_id', sa.Text(), nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('resumes_at', Instant(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('fence', sa.BigInteger(), nullable=False),
    sa.Column('until', Instant(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'webhook_id')
    )
    op.create_table('webhook_delivery',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('webhook_id', sa.Text(), nullable=False),
    sa.Column('position', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('recorded_at', Instant(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('first_tried_at', Instant(), nullable=False),
    sa.Column('last_tried_at', Instant(), nullable=False),
    sa.Column('next_at', Instant(), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.Column('lag_micros', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'webhook_id', 'position')
    )
    op.create_index('webhook_delivery_age', 'webhook_delivery', ['tenant_id', 'last_tried_at'], unique=False)
    op.create_index('webhook_delivery_state', 'webhook_delivery', ['tenant_id', 'webhook_id', 'state', 'next_at'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('webhook_delivery_state', table_name='webhook_delivery')
    op.drop_index('webhook_delivery_age', table_name='webhook_delivery')
    op.drop_table('webhook_delivery')
    op.drop_table('webhook_cursor')
    op.drop_table('webhook')
