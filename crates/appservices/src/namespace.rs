//! A namespace: which names belong to a service.

use regex::{Regex, RegexBuilder};

/// How large a compiled expression may be. A list of a thousand names is far below it.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;

/// How deep an expression may be nested.
const MAX_NESTING: u32 = 64;

/// Names that a service claims. A name is in it as a whole: an expression does not have to say
/// where it begins and ends.
#[derive(Debug)]
pub(crate) struct Namespace {
    regex: Regex,
    /// As it stands in the file.
    pub(crate) text: String,
    /// Whether nobody else has these names.
    pub(crate) exclusive: bool,
}

impl Namespace {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in one line.
    pub(crate) fn new(text: &str, exclusive: bool) -> Result<Self, String> {
        let compiled = RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_COMPILED_BYTES)
            .nest_limit(MAX_NESTING)
            .build();
        // Alone, so that a parenthesis too many closes nothing of ours.
        let alone = RegexBuilder::new(text)
            .size_limit(MAX_COMPILED_BYTES)
            .nest_limit(MAX_NESTING)
            .build();
        match (alone, compiled) {
            (Ok(_), Ok(regex)) => Ok(Self {
                regex,
                text: text.to_owned(),
                exclusive,
            }),
            (Err(error), _) | (_, Err(error)) => Err(complaint(&error)),
        }
    }

    /// Whether a name is in it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

/// The last line of what the parser says, which is the sentence below its drawing.
fn complaint(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, name: &str) -> bool {
        Namespace::new(text, true).unwrap().has(name)
    }

    #[test]
    fn a_name_is_in_a_namespace_as_a_whole() {
        assert!(has("@irc_.*", "@irc_ada:example.org"));
        assert!(has(r"^@irc_.+:example\.org$", "@irc_ada:example.org"));
        assert!(!has("@irc_", "@irc_ada:example.org"));
        assert!(!has("irc_.*", "@irc_ada:example.org"));
        assert!(has("@a:x|@b:x", "@b:x"));
        assert!(!has("@a:x|@b:x", "@b:xy"));
    }

    #[test]
    fn what_is_no_expression_is_refused_in_one_line() {
        for text in [
            "@irc_(",
            "@irc_)",
            "(",
            ")(",
            "[",
            "(?<",
            "a{2000}{2000}",
            "\\p{Nope}",
        ] {
            let refusal = Namespace::new(text, true).unwrap_err();
            assert!(!refusal.is_empty() && !refusal.contains('\n'), "{refusal}");
        }
        assert!(Namespace::new(&"(".repeat(10_000), true).is_err());
    }
}
