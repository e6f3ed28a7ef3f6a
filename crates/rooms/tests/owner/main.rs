//! The owner of rooms over a real log, on both engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod aliases;
mod creating;
mod delayed;
mod encryption;
mod going_along;
mod guests;
mod harness;
mod memberships;
mod nodes;
mod receipts;
mod redacting;
mod sending;
mod upgrade;
mod upkeep;
mod visibility;
