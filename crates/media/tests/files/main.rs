//! What holds for files, over the public API, on both engines.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod damage;
mod fixture;
mod forgetting;
mod pending;
mod ranges;
mod sealed;
mod sweeping;
mod thumbnails;
mod uploads;
