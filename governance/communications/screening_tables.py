"""Tables of the screenings: the question, whom it asks about, the answers, and who works on it.

The lease is bookkeeping of work under way, not part of what happened; it is written without an event.
"""

import sqlalchemy as sa

from governance.database import Instant, Json, metadata

screening = sa.Table(
    "screening",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("screening_id", sa.Text, primary_key=True),
    sa.Column("question", Json, nullable=False),
    sa.Column("audience", Json, nullable=False),
    sa.Column("question_digest", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Column("evaluated_at", Instant),
    sa.Column("epoch", sa.BigInteger),
    sa.Column("policy", sa.Text),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("allowed", sa.BigInteger, nullable=False),
    sa.Column("denied", sa.BigInteger, nullable=False),
    sa.Column("waterfall", Json, nullable=False),
    sa.Column("reasons", Json, nullable=False),
    sa.Column("overlap", Json),
    sa.Column("results_root", sa.Text),
    sa.Column("receipt", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("screening_question", "tenant_id", "question_digest", "epoch"),
    sa.Index("screening_status", "tenant_id", "status"),
)

lease = sa.Table(
    "screening_lease",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("screening_id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("until", Instant),
    sa.Column("progress", sa.BigInteger, nullable=False),
)

audience = sa.Table(
    "screening_audience",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("screening_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("known", sa.Boolean, nullable=False),
    sa.Column("members", sa.LargeBinary, nullable=False),
)

rejected = sa.Table(
    "screening_rejected",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("screening_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("lines", sa.LargeBinary, nullable=False),
    sa.Column("faults", sa.LargeBinary, nullable=False),
)
"""Lines of an uploaded file that hold no id: their numbers and what is wrong, never what stood there."""

outcome = sa.Table(
    "screening_outcome",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("screening_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("allowed", sa.Boolean, nullable=False),
    sa.Column("first", sa.Text),
    sa.Column("codes", Json, nullable=False),
    sa.Column("reasons", Json, nullable=False),
    sa.Column("obligations", Json, nullable=False),
)

chunk = sa.Table(
    "screening_chunk",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("screening_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("known", sa.Boolean, nullable=False),
    sa.Column("members", sa.LargeBinary, nullable=False),
    sa.Column("outcomes", sa.LargeBinary, nullable=False),
    sa.Column("points", sa.LargeBinary, nullable=False),
)


def here(table: sa.Table, tenant_id: str, screening_id: str) -> sa.ColumnElement[bool]:
    """The rows of one screening in any of these tables."""
    return sa.and_(table.c.tenant_id == tenant_id, table.c.screening_id == screening_id)
