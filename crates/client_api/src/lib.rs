//! The Matrix client-server API.
