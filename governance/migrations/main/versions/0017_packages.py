"""rights: packages of access requests, in sealed pieces.

Revision: 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('rights_package',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('made_at', Instant(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id')
    )
    op.create_index('rights_package_made', 'rights_package', ['tenant_id', 'made_at'], unique=False)
    op.create_table('rights_package_piece',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id', 'number')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('rights_package_piece')
    op.drop_index('rights_package_made', table_name='rights_package')
    op.drop_table('rights_package')
