//! [`Line`]: text that may stand in a header.

/// The longest line of a header, in bytes; what is longer is cut.
const MAX_BYTES: usize = 200;

/// Text in one line, without control characters: it cannot end the header that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Makes one line of any text: each control character and each separator of lines becomes a
    /// space, and what is too long is cut.
    pub fn new(text: &str) -> Self {
        let mut line = String::new();
        for letter in text.chars() {
            let ends_lines = letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
            let letter = if ends_lines { ' ' } else { letter };
            if line.len() + letter.len_utf8() > MAX_BYTES {
                break;
            }
            line.push(letter);
        }
        Self(line)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Line;

    #[test]
    fn a_line_has_no_end() {
        for (text, line) in [
            ("Hello", "Hello"),
            (
                "Hello\r\nBcc: eve@example.org",
                "Hello  Bcc: eve@example.org",
            ),
            ("a\u{85}b\u{2028}c\0d\te", "a b c d e"),
            ("你好", "你好"),
        ] {
            assert_eq!(Line::new(text).as_str(), line);
        }
        assert_eq!(Line::new(&"ß".repeat(300)).as_str(), "ß".repeat(100));
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_line(text in any::<String>()) {
            let line = Line::new(&text);
            prop_assert!(line.as_str().len() <= 200);
            prop_assert!(!line.as_str().contains(|letter: char| letter.is_control()));
        }
    }
}
