"""subjects: what an erased person was known by is found without reading everybody's.

Revision: 0040, after 0039.
"""

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index("subject_tombstone_subject", "subject_tombstone", ["tenant_id", "subject_ref"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("subject_tombstone_subject", table_name="subject_tombstone")
