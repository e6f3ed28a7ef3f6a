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
mod plain_pattern;
mod push_rules;
mod registration_file;
mod request_body;
mod room;
mod s3_answer;
mod search_term;
mod text;
mod tokens;

pub use self::{
    bus_message::bus_message, config_file::config_file, credentials::credentials, event::event,
    filter::filter, image::image, media_type::media_type, page::page, push_rules::push_rules,
    registration_file::registration_file, request_body::request_body, room::room,
    s3_answer::s3_answer, search_term::search_term, tokens::tokens,
};

/// A property of any bytes: it returns where it holds, and panics where it does not.
pub type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target and of the folder with its findings.
pub const PROPERTIES: [(&str, Property); 15] = [
    ("bus_message", bus_message),
    ("config_file", config_file),
    ("credentials", credentials),
    ("event", event),
    ("filter", filter),
    ("image", image),
    ("media_type", media_type),
    ("page", page),
    ("push_rules", push_rules),
    ("registration_file", registration_file),
    ("request_body", request_body),
    ("room", room),
    ("s3_answer", s3_answer),
    ("search_term", search_term),
    ("tokens", tokens),
];
