//! Finding people: by what they are called, among those whom one may find.

mod directory;
mod matching;
mod sight;

pub use directory::{Directory, Found};
