//! Reads typed values out of the layers, noting each value's origin and each problem.

use std::cell::RefCell;

use crate::{
    document::{Given, line_and_column},
    error::Problem,
    layers::Layers,
    loading::Entry,
    origin::Origin,
    sections::{Fallback, Key},
    suggestion::shortened,
    values::{Raw, Rejection, Value},
};

/// Hands out the values of one configuration.
pub(crate) struct Reader {
    layers: Layers,
    /// The file's text, to place an item of a list.
    text: String,
    keys: Vec<Key>,
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

/// What reading has gathered.
pub(crate) struct Outcome {
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Reader {
    pub(crate) fn new(layers: Layers, text: String, keys: Vec<Key>) -> Self {
        Self {
            layers,
            text,
            keys,
            found: RefCell::default(),
        }
    }

    /// Reads the value of a key and notes its origin; `None` means that a problem was noted.
    pub(crate) fn read<T: Value>(&self, path: &'static str) -> Option<T> {
        let Given { raw, origin } = self.given(path);
        let found = &mut *self.found.borrow_mut();
        match T::parse(&raw) {
            Ok(value) => {
                if !self.layers.idle.contains(&path) {
                    found.entries.push(Entry {
                        key: path,
                        value: value.show(),
                        origin,
                    });
                }
                Some(value)
            }
            Err(rejection) => {
                found
                    .problems
                    .push(self.problem::<T>(path, &raw, origin, rejection));
                None
            }
        }
    }

    /// Reads the value of a key on which the default of another depends; notes nothing.
    pub(crate) fn peek<T: Value>(&self, path: &'static str) -> Option<T> {
        T::parse(&self.given(path).raw).ok()
    }

    /// Notes that a key's value does not go with the others.
    pub(crate) fn refuse(&self, path: &'static str, message: &str, accepted: &str) {
        let problem = Problem::new(self.given(path).origin, format!("{path} {message}"));
        self.found
            .borrow_mut()
            .problems
            .push(problem.accepting(accepted));
    }

    pub(crate) fn finish(self) -> Outcome {
        let Found { entries, problems } = self.found.into_inner();
        let mut all = self.layers.problems;
        all.extend(problems);
        Outcome {
            entries,
            problems: all,
            warnings: self.layers.warnings,
        }
    }

    fn given(&self, path: &'static str) -> Given {
        if let Some(given) = self.layers.values.get(path) {
            return given.clone();
        }
        let key = self.keys.iter().find(|key| key.path == path);
        let text = match key.map(|key| &key.fallback) {
            Some(Fallback::Text(text)) => (*text).to_owned(),
            Some(Fallback::Derived { from, .. }) => from(self),
            None => String::new(),
        };
        Given {
            raw: Raw::Bare(text),
            origin: Origin::Default,
        }
    }

    fn problem<T: Value>(
        &self,
        path: &'static str,
        raw: &Raw,
        origin: Origin,
        rejection: Rejection,
    ) -> Problem {
        let Rejection {
            reason,
            offset,
            part,
        } = rejection;
        let origin = match (origin, offset) {
            (Origin::File { name, .. }, Some(offset)) => {
                let (line, column) = line_and_column(&self.text, offset);
                Origin::File { name, line, column }
            }
            (origin, _) => origin,
        };
        let message = match part.as_ref().unwrap_or(raw) {
            _ if T::SECRET => format!("{path}: the value {reason}"),
            Raw::Bare(text) | Raw::Text(text) => {
                format!("{path}: \"{}\" {reason}", shortened(text).escape_debug())
            }
            Raw::Number(number) => format!("{path}: {number} {reason}"),
            _ => format!("{path}: the value {reason}"),
        };
        Problem::new(origin, message).accepting(T::accepts())
    }
}
