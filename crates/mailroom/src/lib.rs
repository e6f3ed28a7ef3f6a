//! Mails about people's accounts, from the log to the mail server.
//!
//! A mail is a change of the log, committed with what it is about. One node of a deployment follows
//! the log and puts a letter for each mail into the [outbox](outbox); the same node writes the
//! mails and hands them to the mail server, and tries again what could not be sent. No request
//! waits for a mail server, and no crash loses a mail. What a mail says is forgotten when it was
//! handed on.
//!
//! Following the log, the same node makes good on invitations by address whose address has become
//! an account's.

mod invites;
mod lane;
mod mailroom;
mod metrics;

pub use mailroom::{Mailroom, Name};
