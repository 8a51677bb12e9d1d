"""data-subject requests: who asks, whom they mean, what was asked back, letters.

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

from governance.database import Instant

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table('rights_request',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('regime', sa.Text(), nullable=False),
    sa.Column('regime_given', sa.Boolean(), nullable=False),
    sa.Column('country', sa.Text(), nullable=True),
    sa.Column('region', sa.Text(), nullable=True),
    sa.Column('zone', sa.Text(), nullable=False),
    sa.Column('holidays_of', sa.Text(), nullable=True),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('received_at', Instant(), nullable=False),
    sa.Column('recorded_at', Instant(), nullable=False),
    sa.Column('content_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('behalf', sa.Text(), nullable=True),
    sa.Column('authority', sa.Text(), nullable=True),
    sa.Column('appeal_of', sa.Text(), nullable=True),
    sa.Column('duplicate_of', sa.Text(), nullable=True),
    sa.Column('waits_for', sa.Text(), nullable=True),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('matched_at', Instant(), nullable=True),
    sa.Column('acted_at', Instant(), nullable=True),
    sa.Column('verified_at', Instant(), nullable=True),
    sa.Column('acknowledged_at', Instant(), nullable=True),
    sa.Column('closed_at', Instant(), nullable=True),
    sa.Column('acknowledge_by', Instant(), nullable=True),
    sa.Column('due_at', Instant(), nullable=False),
    sa.Column('proof_until', Instant(), nullable=True),
    sa.Column('reminded', sa.Integer(), nullable=False),
    sa.Column('overdue_at', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id')
    )
    op.create_index('rights_request_arrived', 'rights_request', ['tenant_id', 'channel', 'recorded_at'], unique=False)
    op.create_index('rights_request_due', 'rights_request', ['tenant_id', 'state', 'due_at'], unique=False)
    op.create_table('rights_identity',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('identity_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('value_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('blind_index', sa.Text(), nullable=True),
    sa.Column('suppression_hash', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=True),
    sa.Column('shared', sa.Boolean(), nullable=False),
    sa.Column('point_ref', sa.Text(), nullable=True),
    sa.Column('proof', sa.Text(), nullable=True),
    sa.Column('challenge', sa.Integer(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('challenge_expires_at', Instant(), nullable=True),
    sa.Column('verified_at', Instant(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id', 'identity_id')
    )
    op.create_index('rights_identity_index', 'rights_identity', ['tenant_id', 'blind_index'], unique=False)
    op.create_index('rights_identity_subject', 'rights_identity', ['tenant_id', 'subject_ref'], unique=False)
    op.create_table('rights_match',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('identity_id', sa.Text(), nullable=False),
    sa.Column('subject_ref', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id', 'identity_id', 'subject_ref')
    )
    op.create_index('rights_match_subject', 'rights_match', ['tenant_id', 'subject_ref'], unique=False)
    op.create_table('rights_ask',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('ask_id', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('asked_at', Instant(), nullable=False),
    sa.Column('answered_at', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id', 'ask_id')
    )
    op.create_table('rights_extension',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('extension_id', sa.Text(), nullable=False),
    sa.Column('at', Instant(), nullable=False),
    sa.Column('until', sa.Text(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id', 'extension_id')
    )
    op.create_table('rights_letter',
    sa.Column('tenant_id', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('letter_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('identity_id', sa.Text(), nullable=True),
    sa.Column('content_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('written_at', Instant(), nullable=False),
    sa.Column('sent_at', Instant(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'request_id', 'letter_id')
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index('rights_match_subject', table_name='rights_match')
    op.drop_index('rights_identity_subject', table_name='rights_identity')
    op.drop_index('rights_identity_index', table_name='rights_identity')
    op.drop_index('rights_request_due', table_name='rights_request')
    op.drop_index('rights_request_arrived', table_name='rights_request')
    op.drop_table('rights_letter')
    op.drop_table('rights_extension')
    op.drop_table('rights_ask')
    op.drop_table('rights_match')
    op.drop_table('rights_identity')
    op.drop_table('rights_request')
