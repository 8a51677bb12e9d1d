"""transfers: mechanisms, flows, how flows stand, and how many people live where.

Revision: 0023, after 0022.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant, Json

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('transfer_mechanism',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('mechanism_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('instruments', Json(), nullable=False),
    sa.Column('unassessed', Json(), nullable=False),
    sa.Column('recipients', Json(), nullable=False),
    sa.Column('destinations', Json(), nullable=False),
    sa.Column('data_classes', Json(), nullable=False),
    sa.Column('valid_from', Instant(), nullable=False),
    sa.Column('expires_at', Instant(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('assessment_reference', sa.Text(), nullable=True),
    sa.Column('suspended_at', Instant(), nullable=True),
    sa.Column('suspended_by', sa.Text(), nullable=True),
    sa.Column('reason_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('noticed', sa.Text(), nullable=True),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'mechanism_id')
    )
    op.create_table('transfer_flow',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('flow_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('destination', sa.Text(), nullable=False),
    sa.Column('recipient', sa.Text(), nullable=False),
    sa.Column('recipient_kind', sa.Text(), nullable=True),
    sa.Column('data_classes', Json(), nullable=False),
    sa.Column('mechanisms', Json(), nullable=False),
    sa.Column('people_per_year', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'flow_id')
    )
    op.create_table('transfer_flow_standing',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('flow_id', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('mechanism', sa.Text(), nullable=True),
    sa.Column('codes', Json(), nullable=False),
    sa.Column('since', Instant(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'flow_id')
    )
    op.create_table('transfer_people',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('country', sa.Text(), nullable=False),
    sa.Column('people', sa.BigInteger(), nullable=False),
    sa.Column('counted_at', Instant(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'country')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table('transfer_people')
    op.drop_table('transfer_flow_standing')
    op.drop_table('transfer_flow')
    op.drop_table('transfer_mechanism')
