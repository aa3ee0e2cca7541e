"""Engine, transactions, models and what differs between SQLite and PostgreSQL."""
