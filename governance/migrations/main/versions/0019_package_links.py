"""rights: the person's own links to a package.

Revision: 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('rights_package_link',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('link_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('package_of', sa.Text(), nullable=False),
    sa.Column('issued_at', Instant(), nullable=False),
    sa.Column('expires_at', Instant(), nullable=False),
    sa.Column('ended_at', Instant(), nullable=True),
    sa.Column('used', sa.Boolean(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'link_id')
    )
    op.create_index('rights_package_link_request', 'rights_package_link', ['tenant_id', 'request_id'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('rights_package_link_request', table_name='rights_package_link')
    op.drop_table('rights_package_link')
