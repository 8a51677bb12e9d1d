"""Tables of the requests: codes, instants and references; what is personal is sealed."""

import sqlalchemy as sa

from governance.database import Instant, metadata


def _text(name: str, *, null: bool = False, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


rights_request = sa.Table(
    "rights_request",
    metadata,
    _text("tenant_id", key=True),
    _text("request_id", key=True),
    _text("type"),
    _text("state"),
    _text("regime"),
    sa.Column("regime_given", sa.Boolean, nullable=False),
    _text("country", null=True),
    _text("region", null=True),
    _text("zone"),
    _text("holidays_of", null=True),
    _text("language"),
    _text("channel"),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("content_sealed", sa.LargeBinary),
    _text("behalf", null=True),
    _text("authority", null=True),
    _text("appeal_of", null=True),
    _text("duplicate_of", null=True),
    _text("waits_for", null=True),
    _text("outcome", null=True),
    sa.Column("matched_at", Instant),
    sa.Column("acted_at", Instant),
    sa.Column("verified_at", Instant),
    sa.Column("acknowledged_at", Instant),
    sa.Column("closed_at", Instant),
    sa.Column("acknowledge_by", Instant),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("proof_until", Instant),
    sa.Column("reminded", sa.Integer, nullable=False),
    sa.Column("overdue_at", Instant),
    _text("event_id"),
    _text("opened_by", null=True),
    _text("owner", null=True),
    sa.Column("reopened_at", Instant),
    sa.Index("rights_request_due", "tenant_id", "state", "due_at"),
    sa.Index("rights_request_arrived", "tenant_id", "channel", "recorded_at"),
    sa.Index("rights_request_appeal", "tenant_id", "appeal_of"),
)

rights_reopening = sa.Table(
    "rights_reopening",
    metadata,
    _text("tenant_id", key=True),
    _text("request_id", key=True),
    _text("appeal_id", key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("partly", sa.Boolean, nullable=False),
    _text("state"),
    _text("outcome", null=True),
    sa.Column("closed_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    _text("event_id"),
)

rights_identity = sa.Table(
    "rights_identity",
    metadata,
    _text("tenant_id", key=True),
    _text("request_id", key=True),
    _text("identity_id", key=True),
    _text("kind"),
    sa.Column("value_sealed", sa.LargeBinary),
    _text("blind_index", null=True),
    _text("suppression_hash", null=True),
    _text("state"),
    _text("subject_ref", null=True),
    sa.Column("shared", sa.Boolean, nullable=False),
    _text("point_ref", null=True),
    _text("proof", null=True),
    sa.Column("challenge", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("challenge_expires_at", Instant),
    sa.Column("verified_at", Instant),
    sa.Index("rights_identity_index", "tenant_id", "blind_index"),
    sa.Index("rights_identity_subject", "tenant_id", "subject_ref"),
)

rights_match = sa.Table(
    "rights_match",
    metadata,
    _text("tenant_id", key=True),
    _text("request_id", key=True),
    _text("identity_id", key=True),
    _text("subject_ref", key=True),
    _text("state"),
    _text("event_id"),
    sa.Index("rights_match_subject", "tenant_id", "subject_ref"),
)

rights_ask = sa.Table(
    "rights_ask",
    metadata,
    _text("tenant_id", key=True),
    _text("request_id", key=True),
    _text("ask_id", key=True),
    _text("reason"),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("answered_at", Instant),
    _text("event_id"),
)

rights_extension = sa.Table(
    "rights_extension",
    metadata,
    _text("tenant_id", key=True),
    _text("request_id", key=True),
    _text("extension_id", key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("until", sa.Text),
    _text("event_id"),
)

rights_letter = sa.Table(
    "rights_letter",
    metadata,
    _text("tenant_id", key=True),
    _text("request_id", key=True),
    _text("letter_id", key=True),
    _text("kind"),
    _text("language"),
    _text("identity_id", null=True),
    sa.Column("content_sealed", sa.LargeBinary),
    sa.Column("written_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    _text("event_id"),
)
