"""The tables of consent. Empty text stands for *all*, so that every column of a key always has a value."""

import sqlalchemy as sa

from governance.database import Instant, metadata

consent_event = sa.Table(
    "consent_event",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("consent_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("controller", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("point_ref", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("by_person", sa.Boolean, nullable=False),
    sa.Column("proven", sa.Boolean, nullable=False),
    sa.Column("double_opt_in", sa.Boolean, nullable=False),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("notice_id", sa.Text),
    sa.Column("notice_version", sa.Text),
    sa.Column("notice_language", sa.Text),
    sa.Column("guardian", sa.Boolean, nullable=False),
    sa.Column("purpose_version", sa.BigInteger),
    sa.Column("merged_from", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Index("consent_event_act", "tenant_id", "consent_id"),
    sqlite_with_rowid=False,
)
"""What was said, appended and never changed. An act that speaks about several contact points has a row for
each, with the same `consent_id` and `event_id`. `seq` counts per person, in ledger order."""

consent_state = sa.Table(
    "consent_state",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("controller", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("point_ref", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("neg_status", sa.Text),
    sa.Column("neg_seq", sa.BigInteger),
    sa.Column("neg_at", Instant),
    sa.Column("neg_event_id", sa.Text),
    sa.Column("pos_status", sa.Text),
    sa.Column("pos_seq", sa.BigInteger),
    sa.Column("pos_at", Instant),
    sa.Column("pos_by_person", sa.Boolean, nullable=False),
    sa.Column("pos_expires_at", Instant),
    sa.Column("pos_event_id", sa.Text),
    sa.Index(
        "consent_state_expiry",
        "tenant_id",
        "pos_expires_at",
        sqlite_where=sa.text("pos_expires_at IS NOT NULL"),
        postgresql_where=sa.text("pos_expires_at IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)
"""The projection that gates join: `model.Cell`, one row each. Always equal to the fold of `consent_event`."""

suppression = sa.Table(
    "suppression",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("suppression_hash", sa.Text, primary_key=True),
    sa.Column("suppression_id", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("controller", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("origin_subject_ref", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("released_at", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("suppression_by_id", "tenant_id", "suppression_id"),
    sa.Index("suppression_by_origin", "tenant_id", "origin_subject_ref"),
    sqlite_with_rowid=False,
)
"""Bars on contact points by keyed hash. They know no person and so survive every erasure."""

notice = sa.Table(
    "notice",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("notice_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("language", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)
"""What people are shown when they are asked, per version and language."""

consent_confirmation = sa.Table(
    "consent_confirmation",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("token_sha256", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("consent_id", sa.Text, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("grant_expires_at", Instant),
    sa.Column("used_at", Instant),
    sa.Index("consent_confirmation_subject", "tenant_id", "subject_ref"),
)
"""Sign-ups that wait for their confirmation. Only the token's hash is kept. `grant_expires_at`: how long the
consent will hold once it is confirmed."""
