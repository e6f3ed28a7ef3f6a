//! What must hold of bytes that anybody may have sent, as plain functions that panic where it does
//! not: a fuzzer calls them, and so do tests, with every input that was ever a finding.

#![expect(
    clippy::unwrap_used,
    reason = "a property panics where it does not hold, as a test does"
)]

mod bus_message;
mod computed;
mod config_file;
mod credentials;
#[path = "../../client_api/tests/api/deployment.rs"]
mod deployment;
mod event;
mod filter;
mod image;
mod media_type;
mod node;
mod page;
mod push_rules;
mod request_body;
mod room;
mod search_term;
mod text;
mod tokens;

pub use self::{
    bus_message::bus_message, config_file::config_file, credentials::credentials, event::event,
    filter::filter, image::image, media_type::media_type, page::page, push_rules::push_rules,
    request_body::request_body, room::room, search_term::search_term, tokens::tokens,
};

/// A property of any bytes: it returns where it holds, and panics where it does not.
pub type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target and of the folder with its findings.
pub const PROPERTIES: [(&str, Property); 13] = [
    ("bus_message", bus_message),
    ("config_file", config_file),
    ("credentials", credentials),
    ("event", event),
    ("filter", filter),
    ("image", image),
    ("media_type", media_type),
    ("page", page),
    ("push_rules", push_rules),
    ("request_body", request_body),
    ("room", room),
    ("search_term", search_term),
    ("tokens", tokens),
];
