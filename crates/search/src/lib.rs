//! Finding messages by their words, in any script, without keeping a word readable.
//!
//! - [`Search::keep_index`] follows the log and writes a blind index: keyed tokens of words, and
//!   where they stand.
//! - [`Search::find`] looks up the tokens of what is searched for in the rooms of who asks, then
//!   reads the events again, and answers those that they may see and that hold what is meant.

mod block;
mod blocks;
mod candidates;
mod changes;
mod criteria;
mod find;
mod index;
mod judge;
mod page_token;
mod room_index;
mod search;
mod source;
mod statement;
mod text;
mod wanted;

pub use criteria::{Criteria, Order};
pub use find::Found;
pub use judge::Hit;
pub use page_token::{BadPageToken, Group, PageToken};
pub use search::{MIGRATIONS, Search};
pub use text::Field;
pub use wanted::{TermTooLong, Wanted};
