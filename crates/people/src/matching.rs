//! How well a person fits what is searched for.

use std::sync::Arc;

use accounts::people::{People, Person};
use model::search_text::fold;

/// Nobody is called by more than that.
const LONGEST_BYTES: usize = 2_048;

/// How well somebody fits; the smaller the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// They are called exactly so.
    Whole,
    /// What they are called begins so.
    Beginning,
    /// One of the words of their name begins so.
    Word,
    /// It stands somewhere in what they are called.
    Inside,
}

/// Somebody who fits.
pub(crate) type Match = (Rank, Arc<Person>);

/// What is searched for.
pub(crate) struct Term {
    whole: String,
    words: Vec<String>,
    /// Who writes `@alice:example.org` means an id.
    server: Option<String>,
}

impl Term {
    pub(crate) fn new(text: &str) -> Self {
        let text = text.trim();
        let (name, server) = match text.strip_prefix('@') {
            Some(id) => match id.split_once(':') {
                Some((name, server)) => (name, Some(server.to_ascii_lowercase())),
                None => (id, None),
            },
            None => (text, None),
        };
        let folded = match name.len() <= LONGEST_BYTES {
            true => fold(name),
            false => String::new(),
        };
        let words: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
        Self {
            whole: words.join(" "),
            words,
            server,
        }
    }

    /// Those who fit, among those who are wanted.
    pub(crate) fn among(
        &self,
        people: &People,
        is_wanted: impl Fn(i64, &Person) -> bool,
    ) -> Vec<Match> {
        let fits = |(number, person): (&i64, &Arc<Person>)| {
            let rank = self.rank(person)?;
            is_wanted(*number, person).then(|| (rank, Arc::clone(person)))
        };
        people.iter().filter_map(fits).collect()
    }

    /// How well somebody fits; `None` when they do not. Nothing fits nobody.
    pub(crate) fn rank(&self, person: &Person) -> Option<Rank> {
        let (localpart, name) = (&person.folded_localpart, &person.folded_name);
        let fits = |word: &String| name.contains(word) || localpart.contains(word);
        if self.words.is_empty() || !self.words.iter().all(fits) || !self.is_server_of(person) {
            return None;
        }
        if *name == self.whole || *localpart == self.whole {
            return Some(Rank::Whole);
        }
        if name.starts_with(&self.whole) || localpart.starts_with(&self.whole) {
            return Some(Rank::Beginning);
        }
        let begins = |word: &String| {
            parts(name)
                .chain(parts(localpart))
                .any(|part| part.starts_with(word.as_str()))
        };
        match self.words.iter().all(begins) {
            true => Some(Rank::Word),
            false => Some(Rank::Inside),
        }
    }

    fn is_server_of(&self, person: &Person) -> bool {
        let server = person.user_id.server_name().as_str();
        let begins = |wanted: &String| server.starts_with(wanted.as_str());
        self.server.as_ref().is_none_or(begins)
    }
}

/// The words of a name, and the parts of `anna.maria-schmidt`.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use ruma::OwnedUserId;

    use super::*;

    fn person(user_id: &str, name: &str) -> Person {
        let user_id = OwnedUserId::try_from(user_id).unwrap();
        Person {
            folded_localpart: fold(user_id.localpart()),
            folded_name: fold(name),
            display_name: Some(name.to_owned()),
            avatar_url: None,
            user_id,
        }
    }

    #[test]
    fn the_closer_a_name_the_better_its_rank() {
        let anna = person("@a.schmidt:example.org", "Anna-Maria Schmidt");
        for (term, rank) in [
            ("anna-maria  schmidt", Rank::Whole),
            ("Anna-Maria Schmidt", Rank::Whole),
            ("A.Schmidt", Rank::Whole),
            ("ANNA", Rank::Beginning),
            ("schmidt anna", Rank::Word),
            ("maria", Rank::Word),
            ("midt", Rank::Inside),
            ("@a.sch", Rank::Beginning),
            ("@a.schmidt:example.org", Rank::Whole),
            ("@a.schmidt:EXA", Rank::Whole),
        ] {
            assert_eq!(Term::new(term).rank(&anna), Some(rank), "{term}");
        }
        for term in [
            "",
            "  ",
            "@",
            "anne",
            "anna bob",
            "@a.schmidt:other",
            "example",
        ] {
            assert_eq!(Term::new(term).rank(&anna), None, "{term}");
        }
    }

    #[test]
    fn a_part_of_a_chinese_name_is_enough() {
        let wang = person("@wang:example.org", "王小明");
        for (term, rank) in [
            ("王", Rank::Beginning),
            ("小明", Rank::Inside),
            ("明", Rank::Inside),
        ] {
            assert_eq!(Term::new(term).rank(&wang), Some(rank), "{term}");
        }
    }
}
