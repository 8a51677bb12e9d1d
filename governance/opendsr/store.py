"""Tables of OpenDSR: what controllers asked for, and each status on its way to a callback."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from governance.database import Instant, metadata
from governance.opendsr.model import FINAL, OpenRequest, Report
from governance.rights.model import OPEN_STATES
from governance.rights.tables import rights_request

opendsr_request = sa.Table(
    "opendsr_request",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("subject_request_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("body_mac", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("expected_at", Instant, nullable=False),
    sa.Column("callbacks_sealed", sa.LargeBinary),
    sa.Column("callbacks", sa.Integer, nullable=False),
    sa.Column("reported", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("opendsr_request_reported", "tenant_id", "reported"),
    sa.Index("opendsr_request_rights", "tenant_id", "request_id", unique=True),
)
"""The requests. Callback addresses are sealed under the key of the request about rights."""

opendsr_report = sa.Table(
    "opendsr_report",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("report_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("subject_request_id", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("problem", sa.Text),
    sa.Index("opendsr_report_due", "tenant_id", "state", "next_at"),
)
"""Statuses to be told: `number` says which of the request's callbacks is meant."""

_REQUEST = [opendsr_request.c[name] for name in OpenRequest.__slots__]
_REPORT = [opendsr_report.c[name] for name in Report.__slots__]


def add(connection: Connection, tenant_id: str, new: OpenRequest | Report) -> None:
    """Insert a request or a report."""
    table = opendsr_request if isinstance(new, OpenRequest) else opendsr_report
    values: dict[str, Any] = {name: getattr(new, name) for name in type(new).__slots__}
    connection.execute(sa.insert(table).values(tenant_id=tenant_id, **values))


def find(
    connection: Connection, tenant_id: str, client_id: str, subject_request_id: str
) -> OpenRequest | None:
    """A controller's request by its id."""
    query = sa.select(*_REQUEST).where(
        opendsr_request.c.tenant_id == tenant_id,
        opendsr_request.c.client_id == client_id,
        opendsr_request.c.subject_request_id == subject_request_id,
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _request(row)


def unfinished(connection: Connection, tenant_id: str) -> list[OpenRequest]:
    """Requests whose end was not told yet, or that were opened again since it was told."""
    about = rights_request.c
    open_again = sa.exists().where(
        about.tenant_id == tenant_id,
        about.request_id == opendsr_request.c.request_id,
        about.state.in_(OPEN_STATES),
    )
    query = (
        sa.select(*_REQUEST)
        .where(
            opendsr_request.c.tenant_id == tenant_id,
            sa.or_(opendsr_request.c.reported.not_in(FINAL), open_again),
        )
        .order_by(opendsr_request.c.received_at)
    )
    return [_request(row) for row in connection.execute(query)]


def set_reported(connection: Connection, tenant_id: str, found: OpenRequest, status: str) -> None:
    """Note the status that callbacks are told of now."""
    connection.execute(
        sa.update(opendsr_request)
        .where(
            opendsr_request.c.tenant_id == tenant_id,
            opendsr_request.c.client_id == found.client_id,
            opendsr_request.c.subject_request_id == found.subject_request_id,
        )
        .values(reported=status)
    )


def due(connection: Connection, tenant_id: str, now: datetime, limit: int) -> Sequence[Report]:
    """Reports to be sent now, the oldest first."""
    query = (
        sa.select(*_REPORT)
        .where(
            opendsr_report.c.tenant_id == tenant_id,
            opendsr_report.c.state == "pending",
            opendsr_report.c.next_at <= now,
        )
        .order_by(opendsr_report.c.created_at, opendsr_report.c.report_id)
        .limit(limit)
    )
    return [Report(**row._mapping) for row in connection.execute(query)]


def settle(connection: Connection, tenant_id: str, report: Report) -> None:
    """Write down what became of a report."""
    connection.execute(
        sa.update(opendsr_report)
        .where(opendsr_report.c.tenant_id == tenant_id, opendsr_report.c.report_id == report.report_id)
        .values(state=report.state, attempts=report.attempts, next_at=report.next_at, problem=report.problem)
    )


def _request(row: Row[Any]) -> OpenRequest:
    return OpenRequest(**row._mapping)
