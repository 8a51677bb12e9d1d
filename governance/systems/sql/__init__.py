"""The connector for databases: any that SQLAlchemy reaches; tried on PostgreSQL and SQLite."""
