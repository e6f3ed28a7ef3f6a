//! Searching for messages.

mod answer;
mod around;
pub(crate) mod search_events;
