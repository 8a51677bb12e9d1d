"""Triggers that make the ledger insert-only: the database itself refuses UPDATE and DELETE.

One change is let through: setting `ledger_entry.payload` to NULL, which is how a person's sealed payload is
erased. Besides, the rows of a whole tenant may be deleted once its own deletion has begun, which a second
person approved (`tenant_deletion`). A superuser can drop a trigger; that is what checkpoints and `fsck` are
for.
"""

import re

from sqlalchemy.engine import Connection

INSERT_ONLY = ("ledger_entry", "ledger_checkpoint")

_KEPT = ("tenant_id", "position", "event_id", "kind", "subject_ref", "actor_ref", "at", "leaf", "leaf_hash")

_TRIGGER = re.compile(r"TRIGGER (?:IF NOT EXISTS )?(\w+) BEFORE [A-Z ]+ ON (\w+)")

_REFUSAL = "the ledger is append-only: record a further event instead"

_GONE = """EXISTS (SELECT 1 FROM tenant_deletion AS d WHERE d.tenant_id = OLD.tenant_id
    AND d.state = 'deleting' AND d.approved_by <> d.asked_by)"""

_POSTGRESQL = (
    f"""
CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF {_GONE} THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
END $$
""",
    f"""
CREATE OR REPLACE FUNCTION ledger_allow_erasure_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.payload IS NULL AND to_jsonb(NEW) - 'payload' = to_jsonb(OLD) - 'payload' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
END $$
""",
    """
CREATE OR REPLACE TRIGGER ledger_entry_update BEFORE UPDATE ON ledger_entry
FOR EACH ROW EXECUTE FUNCTION ledger_allow_erasure_only()
""",
    """
CREATE OR REPLACE TRIGGER ledger_entry_delete BEFORE DELETE ON ledger_entry
FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER ledger_entry_truncate BEFORE TRUNCATE ON ledger_entry
FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER ledger_checkpoint_update BEFORE UPDATE OR DELETE ON ledger_checkpoint
FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER ledger_checkpoint_truncate BEFORE TRUNCATE ON ledger_checkpoint
FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()
""",
)

_SQLITE = (
    f"""
CREATE TRIGGER IF NOT EXISTS ledger_entry_update BEFORE UPDATE ON ledger_entry
WHEN NOT (NEW.payload IS NULL AND {" AND ".join(f"NEW.{name} IS OLD.{name}" for name in _KEPT)})
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
    f"""
CREATE TRIGGER IF NOT EXISTS ledger_entry_delete BEFORE DELETE ON ledger_entry WHEN NOT {_GONE}
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
    f"""
CREATE TRIGGER IF NOT EXISTS ledger_checkpoint_update BEFORE UPDATE ON ledger_checkpoint
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
    f"""
CREATE TRIGGER IF NOT EXISTS ledger_checkpoint_delete BEFORE DELETE ON ledger_checkpoint WHEN NOT {_GONE}
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
)


def statements(dialect: str) -> tuple[str, ...]:
    """The DDL for `sqlite` or `postgresql`, one statement each, to be run once the tables were made."""
    return _SQLITE if dialect == "sqlite" else _POSTGRESQL


def install_triggers(connection: Connection) -> None:
    """Create the triggers on the database of this connection, in place of older ones. Safe to repeat."""
    there: dict[str, str] = {}
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        there = {row.name: row.sql for row in found}
    for statement in statements(connection.dialect.name):
        named = _TRIGGER.search(statement)
        if named is not None and named[1] in there:
            if there[named[1]] == statement.strip().replace("IF NOT EXISTS ", ""):
                continue  # a database that is as it should be is not written to
            connection.exec_driver_sql(f"DROP TRIGGER {named[1]}")
        connection.exec_driver_sql(statement)


def remove_triggers(connection: Connection) -> None:
    """Take the triggers away again (for a downgrade, or a repair by hand)."""
    dialect = connection.dialect.name
    for name, table in _TRIGGER.findall("".join(statements(dialect))):
        on = "" if dialect == "sqlite" else f" ON {table}"
        connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
    if dialect != "sqlite":
        for function in ("ledger_refuse_change", "ledger_allow_erasure_only"):
            connection.exec_driver_sql(f"DROP FUNCTION {function}()")
