"""policy: drafts, proposals, what comes into force next, how each version came.

Revision: 0021, after 0020.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None

_VERSION = (
    sa.Column('pack', sa.Text()),
    sa.Column('before', sa.Text()),
    sa.Column('proposal_id', sa.Text()),
    sa.Column('proposed_by', sa.Text()),
    sa.Column('notes', sa.Text()),
    sa.Column('changes', Json()),
    sa.Column('undone_by', sa.Text()),
    sa.Column('reviewed_by', sa.Text()),
    sa.Column('reviewed_at', Instant()),
    sa.Column('review_note', sa.Text()),
)
_ACTIVE = (
    sa.Column('next_digest', sa.Text()),
    sa.Column('next_at', Instant()),
    sa.Column('next_proposal', sa.Text()),
)


def upgrade() -> None:
    """Go forward."""
    op.add_column('policy_version', sa.Column('kind', sa.Text(), nullable=False, server_default='adopted'))
    op.add_column('policy_version', sa.Column('number', sa.Integer(), nullable=False, server_default='0'))
    for column in _VERSION:
        op.add_column('policy_version', column._copy())
    for column in _ACTIVE:
        op.add_column('policy_active', column._copy())
    op.create_table('policy_draft',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('pack', sa.Text(), nullable=False),
    sa.Column('texts', Json(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('written_by', sa.Text(), nullable=False),
    sa.Column('written_at', Instant(), nullable=False),
    sa.Column('proposal_id', sa.Text(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'pack')
    )
    op.create_table('policy_proposal',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('proposal_id', sa.Text(), nullable=False),
    sa.Column('pack', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('draft', sa.Text(), nullable=False),
    sa.Column('base', sa.Text(), nullable=False),
    sa.Column('candidate', sa.Text(), nullable=False),
    sa.Column('proposed_by', sa.Text(), nullable=False),
    sa.Column('proposed_at', Instant(), nullable=False),
    sa.Column('notes', sa.Text(), nullable=False),
    sa.Column('activate_at', Instant(), nullable=True),
    sa.Column('changes', Json(), nullable=False),
    sa.Column('decided_by', sa.Text(), nullable=True),
    sa.Column('decided_at', Instant(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['candidate'], ['policy_document.digest'], ),
    sa.PrimaryKeyConstraint('tenant_id', 'proposal_id')
    )
    op.create_index('policy_proposal_pack', 'policy_proposal', ['tenant_id', 'pack', 'proposal_id'], unique=False)


def downgrade() -> None:
    """Go back."""
    op.drop_index('policy_proposal_pack', table_name='policy_proposal')
    op.drop_table('policy_proposal')
    op.drop_table('policy_draft')
    for column in reversed(_ACTIVE):
        op.drop_column('policy_active', column.name)
    for column in reversed(_VERSION):
        op.drop_column('policy_version', column.name)
    op.drop_column('policy_version', 'number')
    op.drop_column('policy_version', 'kind')
