//! What stands behind a link: its page is read once for all who ask, and its picture is made
//! anew and kept for a while ([what is fetched, and with what bounds]).
//!
//! - [`Previews::preview`] asks the page, or remembers what it said.
//! - [`page`] reads the page: pure, and bounded whatever the bytes are.
//! - [`forget_pictures_regularly`] removes pictures that are a week old.
//!
//! What a page said is remembered in the memory of a node, for an hour and in bounds, and stands
//! nowhere else. A picture is a file like others, sealed; it belongs to nobody who has an account,
//! counts against no person's quota, and all of them together have one of their own.
//!
//! [what is fetched, and with what bounds]: ../../../docs/previews.md

mod fetching;
mod memory;
mod metrics;
pub mod page;
mod pictures;
mod preview;
mod previews;
mod text;

pub use pictures::{KEPT_FOR, QUOTA_BYTES, forget_pictures_regularly};
pub use preview::{Picture, Preview};
pub use previews::{MAX_ADDRESS_BYTES, PreviewError, Previews, USER_AGENT};
