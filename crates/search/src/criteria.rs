//! What a search asks for.

use model::filter::EventFilter;

use crate::{Field, PageToken, Wanted};

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What was said last.
    Recent,
    /// What fits best.
    Rank,
}

/// What a search asks for.
#[derive(Clone, Debug)]
pub struct Criteria {
    /// The words.
    pub wanted: Wanted,
    /// In which texts.
    pub fields: Vec<Field>,
    /// In which rooms, by whom, of which type, with or without a URL.
    pub filter: EventFilter,
    /// What comes first.
    pub order: Order,
    /// How many events a page has, at most.
    pub limit: usize,
    /// Where the page before this one ended.
    pub from: Option<PageToken>,
}
