//! The authorization server and its pages.
