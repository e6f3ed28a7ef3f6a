//! [`Quoted`]: a name that somebody else chose, as it stands in a mail.

/// The longest name that is shown, in characters.
const MAX_CHARS: usize = 64;

/// Keeps programs that show mail from making an address of what they find, and is not seen.
const JOINER: char = '\u{2060}';

/// A name that somebody else chose: short, in one line, in quotes that it cannot end, and nothing
/// that a program takes for a link. Whether it is markup is up to who writes it: templates of HTML
/// escape it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    /// Makes a name fit to be shown.
    pub fn new(name: &str) -> Self {
        let mut shown = String::from('“');
        let mut letters = name.trim().chars();
        for letter in letters.by_ref().take(MAX_CHARS) {
            match letter {
                '“' | '”' | '„' | '"' => shown.push('\''),
                _ if turns_lines(letter) => shown.push(' '),
                _ => shown.push(letter),
            }
            if matches!(letter, '.' | ':' | '/' | '@' | '。' | '．') {
                shown.push(JOINER);
            }
        }
        if letters.next().is_some() {
            shown.push('…');
        }
        shown.push('”');
        Self(shown)
    }

    /// The name, with its quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character ends a line, or the direction in which one is read, or is none.
fn turns_lines(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_short_and_in_quotes_and_leads_nowhere() {
        for (name, shown) in [
            ("Kitchen", "“Kitchen”"),
            (" 厨房 ", "“厨房”"),
            ("a\r\nb\u{202e}c", "“a  b c”"),
            ("x” said \"y\"", "“x' said 'y'”"),
            (
                "https://e.org",
                "“https:\u{2060}/\u{2060}/\u{2060}e.\u{2060}org”",
            ),
            ("", "“”"),
        ] {
            assert_eq!(Quoted::new(name).as_str(), shown);
        }
        let long = format!("“{}…”", "ß".repeat(MAX_CHARS));
        assert_eq!(Quoted::new(&"ß".repeat(65)).as_str(), long);
    }

    proptest! {
        #[test]
        fn any_name_stays_within_its_quotes(name in any::<String>()) {
            let quoted = Quoted::new(&name);
            let inner = quoted.as_str().strip_prefix('“').unwrap();
            let inner = inner.strip_suffix('”').unwrap();
            prop_assert!(!inner.contains(['“', '”', '"']));
            prop_assert!(!inner.contains(|letter: char| letter.is_control()));
            prop_assert!(!inner.contains("://"));
            prop_assert!(inner.chars().count() <= 2 * MAX_CHARS + 1);
        }
    }
}
