//! Encryption at rest and where its key lives.
