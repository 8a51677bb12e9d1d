"""Tables of the data subjects, and the statements about persons, stages and tombstones."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata
from governance.subjects.model import RELATIONSHIP, Subject

subject = sa.Table(
    "subject",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, nullable=False),
    sa.Column("country", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("time_zone", sa.Text),
    sa.Column("language", sa.Text),
    sa.Column("customer_type", sa.Text),
    sa.Column("birth_month", sa.Text),
    sa.Column("birth_date_sealed", sa.LargeBinary),
    sa.Column("organisation_id", sa.Text),
    sa.Column("organisation_country", sa.Text),
    sa.Column("acquired", sa.Text, nullable=False),
    sa.Column("acquired_at", Instant),
    sa.Column("capture_point", sa.Text),
    sa.Column("source_channel", sa.Text),
    sa.Column("source_url_sealed", sa.LargeBinary),
    sa.Column("stage_relationship", sa.Text),
    sa.Column("stage_since", Instant),
    sa.Column("restricted", sa.Boolean, nullable=False),
    sa.Column("erasure_pending", sa.Boolean, nullable=False),
    sa.Column("erased", sa.Boolean, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Column("last_purchase_at", Instant),
    sa.Column("last_inquiry_at", Instant),
    sa.Column("last_contact_at", Instant),
    sa.Column("contract_state", sa.Text, nullable=False),
    sa.Column("contract_ended_at", Instant),
    sa.Column("subscription_state", sa.Text, nullable=False),
    sa.Column("subscription_ended_at", Instant),
    sa.Column("notice_given", sa.Boolean, nullable=False),
    sa.Column("invoice_open", sa.Boolean, nullable=False),
    sa.Column("warranty_open", sa.Boolean, nullable=False),
    sa.Column("dispute_open", sa.Boolean, nullable=False),
    sa.Column("merged_into", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("tenant_id", "external_id", name="subject_external_id"),
    sa.Index(
        "subject_merged_into",
        "tenant_id",
        "merged_into",
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

contact_point = sa.Table(
    "contact_point",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("point_ref", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("value_sealed", sa.LargeBinary, nullable=False),
    sa.Column("blind_index", sa.Text, nullable=False),
    sa.Column("suppression_hash", sa.Text, nullable=False),
    sa.Column("country", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("verified", sa.Boolean, nullable=False),
    sa.Column("subscriber", sa.Text),
    sa.Column("since", Instant, nullable=False),
    sa.Column("origin_ref", sa.Text, nullable=False),
    sa.Index("contact_point_blind_index", "tenant_id", "blind_index"),
    sqlite_with_rowid=False,
)

relationship_event = sa.Table(
    "relationship_event",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("relationship_event_id", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("reference_sealed", sa.LargeBinary),
    sa.Column("matter", sa.Text, nullable=False),
    sa.Column("product_family", sa.Text),
    sa.Column("point_ref", sa.Text),
    sa.Column("opt_out_offered", sa.Boolean),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index(  # few events are offers to refuse; screenings look for them among all
        "relationship_event_offer",
        "tenant_id",
        "subject_ref",
        sqlite_where=sa.text("opt_out_offered = 1"),
        postgresql_where=sa.text("opt_out_offered"),
    ),
    sqlite_with_rowid=False,
)

subject_stage = sa.Table(
    "subject_stage",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

subject_tombstone = sa.Table(
    "subject_tombstone",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Index("subject_tombstone_subject", "tenant_id", "subject_ref"),
    sqlite_with_rowid=False,
)
"""What erased persons were known by, as keyed hashes only. `type` is a contact point's, or `external_id`."""

Lock = Literal["person", "addresses"]
"""`person`: nobody else changes the row until the transaction ends. `addresses`: nor is anybody about to give
one of the person's addresses to another record (`point_store.frozen`), which the former does not wait for."""

_COLUMNS = [subject.c[name] for name in Subject.__slots__]


def _by(column: sa.Column[str]) -> dict[Lock | None, sa.Select[Any]]:
    """The query for one person, plain and locking; built once, because every act runs it."""
    plain = sa.select(*_COLUMNS).where(
        subject.c.tenant_id == sa.bindparam("tenant"), column == sa.bindparam("which")
    )
    return {
        None: plain,
        "person": plain.with_for_update(key_share=True),
        "addresses": plain.with_for_update(),
    }


_BY_REF = _by(subject.c.subject_ref)
_BY_EXTERNAL_ID = _by(subject.c.external_id)


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert persons; each row names every column, the tenant's too. IntegrityError if an id is taken."""
    connection.execute(sa.insert(subject), rows)


def update(connection: Connection, tenant_id: str, subject_ref: str, values: Mapping[str, Any]) -> None:
    """Set columns of one person."""
    connection.execute(
        _update(tuple(sorted(values))), {**values, "of_tenant": tenant_id, "of_subject": subject_ref}
    )


@lru_cache(maxsize=256)
def _update(names: tuple[str, ...]) -> sa.Update:
    """The statement that sets these columns of one person; there are as many as there are kinds of change."""
    return (
        sa.update(subject)
        .where(
            subject.c.tenant_id == sa.bindparam("of_tenant"),
            subject.c.subject_ref == sa.bindparam("of_subject"),
        )
        .values({name: sa.bindparam(name) for name in names})
    )


def release_external_id(connection: Connection, tenant_id: str, external_id: str) -> list[str]:
    """Let the row of an erased person keep its reference only: the CRM's id now means who came back.

    Gives whose row that was (it may be one merged away).
    """
    released = (
        sa.update(subject)
        .where(subject.c.tenant_id == tenant_id, subject.c.external_id == external_id)
        .values(external_id=subject.c.subject_ref)
        .returning(subject.c.subject_ref)
    )
    return list(connection.scalars(released))


def find(
    connection: Connection, tenant_id: str, subject_ref: str, *, lock: Lock | None = None
) -> Subject | None:
    """The person of this reference."""
    return _one(connection, _BY_REF[lock], tenant_id, subject_ref)


def find_by_external_id(
    connection: Connection, tenant_id: str, external_id: str, *, lock: Lock | None = None
) -> Subject | None:
    """The person of this CRM id, merged away or not."""
    return _one(connection, _BY_EXTERNAL_ID[lock], tenant_id, external_id)


def find_many(connection: Connection, tenant_id: str, external_ids: Iterable[str]) -> dict[str, Subject]:
    """The persons of these CRM ids, by id, locked as `person`."""
    statement = (
        sa.select(*_COLUMNS)
        .where(subject.c.tenant_id == tenant_id, subject.c.external_id.in_(list(external_ids)))
        .order_by(subject.c.subject_ref)
        .with_for_update(key_share=True)
    )
    return {row.external_id: Subject(*row) for row in connection.execute(statement)}


def find_refs(connection: Connection, tenant_id: str, subject_refs: Sequence[str]) -> dict[str, Subject]:
    """The persons of these references, merged away or not, by reference."""
    statement = sa.select(*_COLUMNS).where(
        subject.c.tenant_id == tenant_id, subject.c.subject_ref.in_(subject_refs)
    )
    return {row.subject_ref: Subject(*row) for row in connection.execute(statement)}


def external_ids(connection: Connection, tenant_id: str, subject_refs: Iterable[str]) -> dict[str, str]:
    """The CRM's ids of these persons, by reference; without those whose id was released."""
    statement = sa.select(subject.c.subject_ref, subject.c.external_id).where(
        subject.c.tenant_id == tenant_id,
        subject.c.subject_ref.in_(list(subject_refs)),
        subject.c.external_id != subject.c.subject_ref,
    )
    return {row.subject_ref: row.external_id for row in connection.execute(statement)}


def members(connection: Connection, tenant_id: str, subject_ref: str) -> list[str]:
    """The references that were merged into this one, oldest first."""
    statement = (
        sa.select(subject.c.subject_ref)
        .where(subject.c.tenant_id == tenant_id, subject.c.merged_into == subject_ref)
        .order_by(subject.c.subject_ref)
    )
    return list(connection.scalars(statement))


def redirect(connection: Connection, tenant_id: str, from_ref: str, into_ref: str) -> None:
    """Let everyone who was merged into `from_ref` be merged into `into_ref`."""
    connection.execute(
        sa.update(subject)
        .where(subject.c.tenant_id == tenant_id, subject.c.merged_into == from_ref)
        .values(merged_into=into_ref)
    )


def put_stage(
    connection: Connection,
    tenant_id: str,
    subject_ref: str,
    *,
    model: str,
    stage: str,
    since: datetime,
    event_id: str,
) -> None:
    """Set the stage of one model; the relationship's stands on the person's row too."""
    key = {"tenant_id": tenant_id, "subject_ref": subject_ref, "model": model}
    values = {"stage": stage, "since": since, "event_id": event_id}
    where = [subject_stage.c[name] == value for name, value in key.items()]
    if connection.execute(sa.update(subject_stage).where(*where).values(**values)).rowcount == 0:
        connection.execute(sa.insert(subject_stage).values(**key, **values))
    if model == RELATIONSHIP:
        update(connection, tenant_id, subject_ref, {"stage_relationship": stage, "stage_since": since})


def add_stages(connection: Connection, tenant_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert stages of persons who have none yet in these models."""
    connection.execute(sa.insert(subject_stage), [{"tenant_id": tenant_id, **row} for row in rows])


def stages(connection: Connection, tenant_id: str, subject_ref: str) -> dict[str, tuple[str, datetime, str]]:
    """The person's stage per model: (stage, since, event id)."""
    statement = sa.select(subject_stage).where(
        subject_stage.c.tenant_id == tenant_id, subject_stage.c.subject_ref == subject_ref
    )
    return {row.model: (row.stage, row.since, row.event_id) for row in connection.execute(statement)}


def stages_of(
    connection: Connection, tenant_id: str, subject_refs: Sequence[str]
) -> dict[str, dict[str, tuple[str, datetime, str]]]:
    """The stages of several persons, by reference; whoever has none is not listed."""
    statement = sa.select(subject_stage).where(
        subject_stage.c.tenant_id == tenant_id, subject_stage.c.subject_ref.in_(subject_refs)
    )
    found: dict[str, dict[str, tuple[str, datetime, str]]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.subject_ref, {})[row.model] = (row.stage, row.since, row.event_id)
    return found


def _one(connection: Connection, statement: sa.Select[Any], tenant_id: str, which: str) -> Subject | None:
    row = connection.execute(statement, {"tenant": tenant_id, "which": which}).one_or_none()
    return None if row is None else Subject(*row)
