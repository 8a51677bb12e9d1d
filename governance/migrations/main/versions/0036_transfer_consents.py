"""transfers: what people consent to where a mechanism is their consent.

Revision: 0036, after 0035.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("transfer_mechanism", sa.Column("consent_purpose", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("transfer_mechanism", "consent_purpose")
