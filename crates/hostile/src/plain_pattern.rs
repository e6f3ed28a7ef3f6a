//! A plain reading of expressions: which places of a text each part of one leads to. It is slow,
//! and has nothing in common with the engine that judges names but the parser.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// How much is looked at before a reading is given up.
const MOST_STEPS: usize = 100_000;

/// Whether an expression describes a text as a whole; nothing where that takes too long to say, or
/// where the expression looks at words or at lines that end otherwise than by a line feed.
pub(crate) fn describes(pattern: &str, text: &str) -> Option<bool> {
    let parsed = regex_syntax::parse(pattern).unwrap();
    let mut walk = Walk { text, steps: 0 };
    let ends = walk.from(&parsed, &BTreeSet::from([0]))?;
    Some(ends.contains(&text.len()))
}

type Places = BTreeSet<usize>;

struct Walk<'a> {
    text: &'a str,
    steps: usize,
}

impl Walk<'_> {
    /// Where a part can end that begins at one of these places.
    fn from(&mut self, part: &Hir, places: &Places) -> Option<Places> {
        self.steps += 1 + places.len();
        if self.steps > MOST_STEPS {
            return None;
        }
        match part.kind() {
            HirKind::Empty => Some(places.clone()),
            HirKind::Literal(literal) => {
                let stands = |at: &&usize| self.text.as_bytes()[**at..].starts_with(&literal.0);
                let ends = places.iter().filter(stands);
                Some(ends.map(|at| at + literal.0.len()).collect())
            }
            HirKind::Class(class) => {
                let ends = places.iter();
                Some(
                    ends.filter_map(|at| self.behind_letter(class, *at))
                        .collect(),
                )
            }
            HirKind::Look(look) => self.looking(*look, places),
            HirKind::Repetition(times) => self.repeated(&times.sub, (times.min, times.max), places),
            HirKind::Capture(capture) => self.from(&capture.sub, places),
            HirKind::Concat(parts) => {
                let mut reached = places.clone();
                for part in parts {
                    reached = self.from(part, &reached)?;
                }
                Some(reached)
            }
            HirKind::Alternation(parts) => {
                let mut reached = Places::new();
                for part in parts {
                    reached.extend(self.from(part, places)?);
                }
                Some(reached)
            }
        }
    }

    /// Behind the letter at a place, if it is one of these.
    fn behind_letter(&self, class: &Class, at: usize) -> Option<usize> {
        let letter = self.text.get(at..)?.chars().next()?;
        let is_one = match class {
            Class::Unicode(class) => class
                .iter()
                .any(|range| (range.start()..=range.end()).contains(&letter)),
            Class::Bytes(class) => class.iter().any(|range| {
                let letters = char::from(range.start())..=char::from(range.end());
                letter.is_ascii() && letters.contains(&letter)
            }),
        };
        is_one.then_some(at + letter.len_utf8())
    }

    fn looking(&self, look: Look, places: &Places) -> Option<Places> {
        let text = self.text.as_bytes();
        let begins = |at: usize| at == 0 || text[at - 1] == b'\n';
        let ends = |at: usize| at == text.len() || text[at] == b'\n';
        let holds: &dyn Fn(usize) -> bool = match look {
            Look::Start => &|at| at == 0,
            Look::End => &|at| at == text.len(),
            Look::StartLF => &begins,
            Look::EndLF => &ends,
            _ => return None,
        };
        let places = places.iter().copied();
        Some(places.filter(|at| holds(*at)).collect())
    }

    fn repeated(
        &mut self,
        part: &Hir,
        (least, most): (u32, Option<u32>),
        places: &Places,
    ) -> Option<Places> {
        let mut last = places.clone();
        for _ in 0..least {
            let next = self.from(part, &last)?;
            if next == last {
                break;
            }
            last = next;
        }
        let mut all = last.clone();
        for _ in least..most.unwrap_or(u32::MAX) {
            last = self.from(part, &last)?;
            let known = all.len();
            all.extend(&last);
            if all.len() == known {
                break;
            }
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::describes;

    #[test]
    fn a_text_is_described_as_a_whole_or_not() {
        for (pattern, text, told) in [
            ("", "", true),
            ("", "a", false),
            ("a|ab", "ab", true),
            ("(a|ab)(c|bcd)", "abcd", true),
            ("[a-c]{2,3}é?", "abcé", true),
            ("[a-c]{2,3}é?", "abcaé", false),
            ("(a*)*b", "aaab", true),
            ("^a$", "a", true),
            ("(?m)a$\\n^b", "a\nb", true),
            (".*", "a\nb", false),
            ("(a{3}){2,}", "aaaaaaaaa", true),
            ("(a{3}){2,}", "aaaaaaaa", false),
        ] {
            assert_eq!(describes(pattern, text), Some(told), "{pattern} {text}");
        }
        assert_eq!(describes("\\ba", "a"), None);
    }
}
