//! What people search for, and what they search in.

use search::Wanted;

use crate::text::first_line;

/// The longest term.
const LONGEST_BYTES: usize = 1_024;

/// A term in the first line, and a text behind it.
///
/// Nothing panics. A term is refused for its length alone; one that has a word stands in itself,
/// and in a text that holds it beside others; what is highlighted is short.
pub fn search_term(data: &[u8]) {
    let (term, text) = first_line(data);
    let term = String::from_utf8_lossy(term);
    let text = String::from_utf8_lossy(text);
    let Ok(wanted) = Wanted::new(&term) else {
        assert!(term.len() > LONGEST_BYTES, "{term}");
        return;
    };
    assert!(term.len() <= LONGEST_BYTES, "{term}");
    let stands_in_itself = wanted.stands_in(&term);
    assert_eq!(
        stands_in_itself,
        wanted.stands_in(&format!("{text} {term}"))
    );
    let highlights = wanted.highlights([&*text, &*term]);
    assert!(highlights.len() <= 64, "{highlights:?}");
    assert_eq!(highlights.is_empty(), !stands_in_itself);
}
