"""transfers: what people consent to where a mechanism is their consent.

Revision: 0035, after 0034.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("transfer_mechanism", sa.Column("consent_purpose", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("transfer_mechanism", "consent_purpose")
