"""callers: accounts of people, their sessions, tries to sign in.

Revision: 0025, after 0024.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column('component', sa.Column('redirect_uris', Json(), nullable=True))
    op.create_table('user_account',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('staff_id', sa.Text(), nullable=False),
    sa.Column('login_index', sa.Text(), nullable=False),
    sa.Column('scopes', Json(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('generation', sa.Integer(), nullable=False),
    sa.Column('totp_step', sa.Integer(), nullable=False),
    sa.Column('secrets_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'user_id'),
    sa.UniqueConstraint('tenant_id', 'login_index', name='uq_user_account_login'),
    sa.UniqueConstraint('tenant_id', 'staff_id', name='uq_user_account_staff')
    )
    op.create_table('recovery_code',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('code_mac', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'user_id', 'code_mac')
    )
    op.create_table('user_session',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('session_id', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Text(), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=False),
    sa.Column('generation', sa.Integer(), nullable=False),
    sa.Column('scopes', Json(), nullable=False),
    sa.Column('redirect_uri', sa.Text(), nullable=False),
    sa.Column('code_sha256', sa.Text(), nullable=False),
    sa.Column('code_challenge', sa.Text(), nullable=False),
    sa.Column('code_until', Instant(), nullable=False),
    sa.Column('code_used', sa.Boolean(), nullable=False),
    sa.Column('expires_at', Instant(), nullable=False),
    sa.Column('ended', sa.Boolean(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'session_id')
    )
    op.create_index('user_session_code', 'user_session', ['tenant_id', 'code_sha256'], unique=True)
    op.create_table('sign_in_count',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('who', sa.Text(), nullable=False),
    sa.Column('window_at', Instant(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'who', 'window_at')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('sign_in_count')
    op.drop_index('user_session_code', table_name='user_session')
    op.drop_table('user_session')
    op.drop_table('recovery_code')
    op.drop_table('user_account')
    op.drop_column('component', 'redirect_uris')
