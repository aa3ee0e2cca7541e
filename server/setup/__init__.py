"""Before the first request: migrations, first admin and key, copying a database to PostgreSQL."""
