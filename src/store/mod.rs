//! diesel over SQLite and PostgreSQL; the only place that knows SQL.
