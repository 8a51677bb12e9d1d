"""Tables of the erasures and their steps."""

import sqlalchemy as sa

from governance.database import Instant, Json, metadata

erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("erasure_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("scope", Json),
    sa.Column("request_id", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("ordered_by", sa.Text, nullable=False),
    sa.Column("ordered_at", Instant, nullable=False),
    sa.Column("undo_until", Instant, nullable=False),
    sa.Column("fence_at", Instant),
    sa.Column("completed_at", Instant),
    sa.Column("next_at", Instant),
    sa.Column("probe_at", Instant),
    sa.Column("probed_at", Instant),
    sa.Column("evidence_until", sa.Date),
    sa.Column("evidence_shredded_at", Instant),
    sa.Column("certificate", sa.Text),
    sa.Column("keys_sealed", sa.LargeBinary),
    sa.Column("facts_sealed", sa.LargeBinary),
    sa.Column("weighed_under", sa.Text),
    sa.Column("undated_since", Instant),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("lease_until", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("erasure_subject", "tenant_id", "subject_ref"),
    sa.Index("erasure_next", "tenant_id", "next_at"),
)
"""`keys_sealed`: what the person is found by in other systems, under a key of the case's own, until the
last probe and the last date of something kept, and as long as something is kept without one. `facts_sealed`:
what retention knew of the person, under the same key. `fence`, `lease_until`: who works on it."""

erasure_step = sa.Table(
    "erasure_step",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("erasure_id", sa.Text, primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("data_classes", Json, nullable=False),
    sa.Column("plan", Json),
    sa.Column("kept", Json, nullable=False),
    sa.Column("parts", Json, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("left", Json),
    sa.Column("done_at", Instant),
    sa.Column("probe", Json),
)
