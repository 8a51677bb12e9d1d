"""What the three `env.py` have in common: run the migrations on the connection that was handed in."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from governance.database import Instant, Json


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Keep migrations readable and free of types that only the program has."""
    if kind == "type" and isinstance(item, Instant):
        return "Instant()"
    if kind == "type" and isinstance(item, Json):
        return "Json()"
    return False


def run(metadata: sa.MetaData) -> None:
    """Run the migrations of one store."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=render_item,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
