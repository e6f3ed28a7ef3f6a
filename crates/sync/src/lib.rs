//! What changed since a token.
