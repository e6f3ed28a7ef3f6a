//! SQLite or PostgreSQL, and the commit log.
