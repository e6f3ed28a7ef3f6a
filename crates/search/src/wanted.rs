//! What is searched for.

use std::collections::BTreeSet;

use model::search_text::{Part, fold, pairs, parts};

/// The most bytes of a term.
const LONGEST_BYTES: usize = 1_024;

/// How many words of it are looked up in the index, at most; all of them must stand in the text.
const MOST_LOOKUPS: usize = 16;

/// The most words that are told as to be highlighted.
const MOST_HIGHLIGHTS: usize = 64;

/// In how many words of a text they are looked for.
const MOST_WORDS_OF_A_TEXT: usize = 1_024;

/// A term is longer than anything that is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the search term is longer than {LONGEST_BYTES} bytes")]
pub struct TermTooLong;

/// What is searched for: words, all of which must stand in a text, in any order, whatever their
/// case, accents and width.
///
/// A word is found as a whole. What is written without spaces, as in Chinese, is found anywhere
/// within such writing.
#[derive(Clone, Debug)]
pub struct Wanted {
    words: BTreeSet<String>,
    runs: BTreeSet<String>,
    /// What is looked up, the rarest first, as far as their length tells.
    lookups: Vec<String>,
}

impl Wanted {
    /// Reads a term. One without a single letter or digit finds nothing.
    pub fn new(term: &str) -> Result<Self, TermTooLong> {
        if term.len() > LONGEST_BYTES {
            return Err(TermTooLong);
        }
        let (mut words, mut runs, mut lookups) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for part in parts(&fold(term)) {
            match part {
                Part::Word(word) => {
                    words.insert(word.to_owned());
                    lookups.push(word.to_owned());
                }
                Part::Run(run) => {
                    runs.insert(run.to_owned());
                    lookups.extend(lookups_of(run).map(str::to_owned));
                }
            }
        }
        lookups.sort_by_key(|word| (std::cmp::Reverse(word.len()), word.clone()));
        lookups.dedup();
        lookups.truncate(MOST_LOOKUPS);
        Ok(Self {
            words,
            runs,
            lookups,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lookups.is_empty()
    }

    pub(crate) fn lookups(&self) -> &[String] {
        &self.lookups
    }

    /// Whether all of it stands in a text.
    pub fn stands_in(&self, text: &str) -> bool {
        let folded = fold(text);
        let (mut words, mut runs) = (BTreeSet::new(), Vec::new());
        for part in parts(&folded) {
            match part {
                Part::Word(word) => drop(words.insert(word)),
                Part::Run(run) => runs.push(run),
            }
        }
        let in_a_run = |wanted: &String| runs.iter().any(|run| run.contains(wanted.as_str()));
        !self.is_empty()
            && self.words.iter().all(|word| words.contains(word.as_str()))
            && self.runs.iter().all(in_a_run)
    }

    /// The words to be highlighted in these texts, as they are written there.
    pub fn highlights<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        let mut highlights: BTreeSet<String> = self.words.union(&self.runs).cloned().collect();
        for text in texts {
            let words = text.split(|letter: char| !letter.is_alphanumeric());
            for word in words.take(MOST_WORDS_OF_A_TEXT) {
                if self.words.contains(&fold(word)) {
                    highlights.insert(word.to_lowercase());
                }
            }
        }
        highlights.into_iter().take(MOST_HIGHLIGHTS).collect()
    }
}

/// A single letter is looked up as such, and several by their pairs, which are rarer.
fn lookups_of(run: &str) -> impl Iterator<Item = &str> {
    let is_single = run.chars().nth(1).is_none();
    pairs(run).filter_map(move |(letter, pair)| if is_single { Some(letter) } else { pair })
}

#[cfg(test)]
mod tests {
    use model::search_text::fold;
    use proptest::prelude::*;

    use super::*;
    use crate::text::words_of;

    proptest! {
        /// What stands in a text is found by the index.
        #[test]
        fn what_is_looked_up_of_a_term_is_in_the_index_of_a_text_where_it_stands(
            term in "([a-cA-Cé会议室たー ]|[0-9]){1,12}",
            text in "([a-cA-Cé会议室たー ]|[0-9]){0,24}",
        ) {
            let wanted = Wanted::new(&term).unwrap();
            let text = format!("{text} {term}");
            let folded = fold(&text);
            let words = words_of(&folded);
            for word in wanted.lookups() {
                prop_assert!(words.contains(word), "{word} of {words:?}");
            }
            prop_assert_eq!(wanted.stands_in(&text), !wanted.is_empty());
        }
    }

    fn stands(term: &str, text: &str) -> bool {
        Wanted::new(term).unwrap().stands_in(text)
    }

    #[test]
    fn words_are_found_whole_and_runs_in_part() {
        for (term, text) in [
            ("meeting", "The MEETING is at 3."),
            ("meeting the", "The meeting"),
            ("cafe", "Café"),
            ("会议", "明天的会议室"),
            ("会", "会议"),
            ("会议 明天", "明天开会议"),
            ("iPhone会议", "会议：iphone"),
            ("たわー", "東京タワー"),
            ("회의", "회의가"),
        ] {
            assert!(stands(term, text), "{term} in {text}");
        }
        for (term, text) in [
            ("meet", "meeting"),
            ("meeting room", "meeting"),
            ("会议室", "会议 议室"),
            ("会议", "会 议"),
            ("会议", "议会"),
            ("", "anything"),
            ("!?", "!?"),
        ] {
            assert!(!stands(term, text), "{term} in {text}");
        }
    }

    #[test]
    fn what_is_looked_up_is_bounded_and_the_longest_first() {
        let wanted = Wanted::new("a bcd 会议室 会").unwrap();
        assert_eq!(wanted.lookups(), ["会议", "议室", "bcd", "会", "a"]);
        let long: String = (0..200).map(|number| format!("{number} ")).collect();
        assert_eq!(Wanted::new(&long).unwrap().lookups().len(), MOST_LOOKUPS);
        assert!(Wanted::new(&"x".repeat(1_025)).is_err());
    }

    #[test]
    fn highlights_are_what_stands_in_the_texts() {
        let wanted = Wanted::new("cafe 会议").unwrap();
        let highlights = wanted.highlights(["The CAFÉ", "cafeteria", "会议室"]);
        assert_eq!(highlights, ["cafe", "café", "会议"]);
    }
}
