//! Pages behind links.

use std::time::Duration;

use previews::page::{
    MAX_ADDRESS_BYTES, MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, MAX_TITLE_CHARS, read,
};

use crate::{computed::computed, text::first_line};

/// How long a page may take on a slow machine, in a program that is slowed down to be watched.
const LONGEST: Duration = Duration::from_secs(5);

/// The first line is the encoding that the server declares, or empty; the rest is a page.
///
/// Nothing panics; what is read of the page is short, can be shown in a line, and is the same when
/// it is read again; and it takes bounded time.
pub fn page(data: &[u8]) {
    let (declared, bytes) = first_line(data);
    let declared = std::str::from_utf8(declared).ok();
    let declared = declared.filter(|label| !label.is_empty());
    let began = computed();
    let page = read(bytes, declared);
    let took = computed().saturating_sub(began);
    assert!(took < LONGEST, "it took {took:?}");
    assert_eq!(read(bytes, declared), page);
    for (text, max_chars) in [
        (&page.title, MAX_TITLE_CHARS),
        (&page.description, MAX_DESCRIPTION_CHARS),
        (&page.site_name, MAX_NAME_CHARS),
        (&page.kind, MAX_NAME_CHARS),
    ] {
        if let Some(text) = text {
            is_a_line(text, max_chars);
        }
    }
    if let Some(image) = page.image {
        assert!(!image.trim().is_empty() && image.len() <= MAX_ADDRESS_BYTES);
    }
}

/// It can be seen, it ends, and it moves nothing that stands beside it.
fn is_a_line(text: &str, max_chars: usize) {
    assert!(!text.trim().is_empty());
    assert_eq!(text, text.trim_start());
    // With the sign that there is more.
    assert!(text.chars().count() <= max_chars + 1);
    for letter in text.chars() {
        assert!(!letter.is_control(), "{letter:?}");
        assert!(letter == ' ' || !letter.is_whitespace(), "{letter:?}");
        let moves = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!moves, "{letter:?}");
    }
}
