//! Ids, events, room rules, time and randomness as values: pure, synchronous, no I/O.

pub mod authorize;
pub mod client_form;
pub mod entropy;
pub mod event;
pub mod filter;
pub mod ids;
pub mod json;
pub mod language;
pub mod mail_address;
pub mod push_rules;
pub mod redaction;
pub mod room_state;
pub mod search_text;
#[cfg(test)]
mod test_room;
pub mod third_party_invite;
pub mod time;
pub mod visibility;
