"""offers to refuse: sales and negotiations in which a way to refuse messages was offered are found quickly.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index(
        'relationship_event_offer',
        'relationship_event',
        ['tenant_id', 'subject_ref'],
        sqlite_where=sa.text('opt_out_offered = 1'),
        postgresql_where=sa.text('opt_out_offered'),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index('relationship_event_offer', table_name='relationship_event')
