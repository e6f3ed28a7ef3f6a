//! What of an event is searched, and the words by which it is found.

use std::collections::HashMap;

use model::{
    event::Pdu,
    search_text::{Part, fold, pairs, parts},
};
use ruma::OwnedEventId;
use serde::Deserialize;
use serde_json::Value;

/// By how many words an event is found, at most: those that stand first in it.
const MOST_WORDS: usize = 4_096;

/// Which text of an event is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `content.body` of a message.
    Body,
    /// `content.name` of a room's name.
    Name,
    /// `content.topic` of a room's topic.
    Topic,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Body, Self::Name, Self::Topic];

    /// The type of the events that have it.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Body => "m.room.message",
            Self::Name => "m.room.name",
            Self::Topic => "m.room.topic",
        }
    }

    /// Told apart in tokens, so that a word in a name is found without looking at messages.
    pub(crate) const fn prefix(self) -> u8 {
        match self {
            Self::Body => b'b',
            Self::Name => b'n',
            Self::Topic => b't',
        }
    }
}

/// The text of an event that is searched.
pub(crate) struct Text {
    pub(crate) field: Field,
    pub(crate) text: String,
    /// The event in whose place it is shown.
    pub(crate) replaces: Option<OwnedEventId>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    body: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    topic: Value,
    #[serde(rename = "m.new_content", default)]
    new_content: Value,
}

impl Text {
    /// Of an event that has some. An edit has that of its new content.
    pub(crate) fn of(pdu: &Pdu) -> Option<Self> {
        let is_type = |field: &Field| field.event_type() == pdu.type_name();
        let field = Field::ALL.into_iter().find(is_type)?;
        if field != Field::Body && pdu.state_key().is_none() {
            return None;
        }
        let content: Content = pdu.content_as().ok()?;
        let relation = pdu.facts().relation;
        let edits = relation.filter(|relation| relation.rel_type == "m.replace");
        let replaces = edits.map(|relation| relation.event_id);
        let text = match field {
            Field::Body if replaces.is_some() => &content.new_content["body"],
            Field::Body => &content.body,
            Field::Name => &content.name,
            Field::Topic => &content.topic,
        };
        Some(Self {
            field,
            text: text.as_str()?.to_owned(),
            replaces,
        })
    }
}

impl Text {
    /// Each word that it is found by, and how much of the text it is.
    pub(crate) fn words(&self) -> Vec<(String, u8)> {
        let folded = fold(&self.text);
        let (words, length) = counted(&folded);
        let word = |(word, times): (&str, u64)| (word.to_owned(), weight(times, length));
        words.into_iter().map(word).collect()
    }
}

/// Each word of a folded text with how often it stands there, and how many there are in all.
fn counted(folded: &str) -> (HashMap<&str, u64>, u64) {
    let mut words: HashMap<&str, u64> = HashMap::new();
    let mut length = 0;
    let mut count = |word| {
        if words.len() < MOST_WORDS || words.contains_key(word) {
            *words.entry(word).or_default() += 1;
        }
    };
    for part in parts(folded) {
        match part {
            Part::Word(word) => {
                count(word);
                length += 1;
            }
            Part::Run(run) => {
                for (letter, pair) in pairs(run) {
                    count(letter);
                    pair.into_iter().for_each(&mut count);
                    length += 1;
                }
            }
        }
    }
    (words, length)
}

/// How much a word that stands so often is of a text of this length, as BM25 has it for a usual
/// length of 20 words: the first time counts most, and in a short text more.
fn weight(times: u64, length: u64) -> u8 {
    let part = 255 * 100 * times / (100 * times + 30 + 9 * length / 2);
    u8::try_from(part).unwrap_or(u8::MAX).max(1)
}

/// The words by which a folded text is found.
#[cfg(test)]
pub(crate) fn words_of(folded: &str) -> Vec<String> {
    counted(folded).0.into_keys().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_weighs_more_where_it_is_more_of_the_text() {
        assert!(weight(1, 1) > weight(1, 20));
        assert!(weight(2, 20) > weight(1, 20));
        assert!(weight(1, 20) > weight(1, 500));
        assert_eq!(weight(1, u64::MAX / 9), 1);
        assert!(weight(1_000, 1_000) < 255);
    }

    #[test]
    fn a_run_is_found_by_its_letters_and_pairs() {
        let (words, length) = counted("会议会 ok");
        let wanted = [("会", 2), ("议", 1), ("会议", 1), ("议会", 1), ("ok", 1)];
        assert_eq!((words, length), (HashMap::from(wanted), 4));
    }

    #[test]
    fn a_text_has_a_bounded_number_of_words() {
        let text: String = (0..10_000).map(|number| format!("w{number} ")).collect();
        let (words, length) = counted(&text);
        assert_eq!((words.len(), length), (MOST_WORDS, 10_000));
        assert!(words.contains_key("w0"));
    }
}
