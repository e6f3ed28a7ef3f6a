//! Filters that clients keep here to name them in a sync.

pub(crate) mod create_filter;
pub(crate) mod get_filter;
