"""The second fence between tenants: row-level security, on PostgreSQL.

The application takes the role `governance_app` in every transaction. That role owns nothing, so the
policies bind it whoever logged in; they show only rows of the tenant named by `governance.tenant`,
which is set for the transaction and gone after it.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import APPLICATION_ROLE, is_sqlite
from governance.ledger.triggers import install_triggers

OUTSIDE = frozenset(
    {
        "alembic_version",
        "tenant",
        "tenant_deletion",
        "policy_document",
        "component",
        "revoked_token",
        "token_issuer",
        "queue_kind",
        "queue_slot",
    }
)
"""Tables without rows about persons that are read before the tenant is known."""

_ROLE = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
    CREATE ROLE {APPLICATION_ROLE} NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this server was faster
END $$
"""


def raise_fences(connection: Connection) -> None:
    """Make ledger tables append-only and, on PostgreSQL, fence every tenant table. Safe to repeat."""
    install_triggers(connection)
    if is_sqlite(connection):
        return
    connection.exec_driver_sql(_ROLE)
    connection.exec_driver_sql(f"GRANT {APPLICATION_ROLE} TO CURRENT_USER")
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {APPLICATION_ROLE}")
    for table in sa.inspect(connection).get_table_names():
        rights = "SELECT" if table == "alembic_version" else "SELECT, INSERT, UPDATE, DELETE"
        connection.exec_driver_sql(f'GRANT {rights} ON "{table}" TO {APPLICATION_ROLE}')
        if table in OUTSIDE:
            continue
        connection.exec_driver_sql(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        connection.exec_driver_sql(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        connection.exec_driver_sql(f'DROP POLICY IF EXISTS tenant_fence ON "{table}"')
        connection.exec_driver_sql(
            f'CREATE POLICY tenant_fence ON "{table}" '
            "USING (tenant_id = current_setting('governance.tenant', true)) "
            "WITH CHECK (tenant_id = current_setting('governance.tenant', true))"
        )
