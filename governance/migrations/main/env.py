"""Migrations of the main database."""

import governance.tables  # noqa: F401  # every room registers its tables
from governance.database import metadata
from governance.migrations.environment import run

run(metadata)
