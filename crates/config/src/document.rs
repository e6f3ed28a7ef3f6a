//! One TOML text, taken apart into keys with their places.

use std::{collections::BTreeMap, sync::Arc};

use toml::de::{DeTable, DeValue};

use crate::{
    error::Problem,
    origin::Origin,
    suggestion::{nearest, shortened},
    values::Raw,
};

/// A value that a layer gives to a key.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) raw: Raw,
    pub(crate) origin: Origin,
}

/// The names that a file may use.
pub(crate) struct Names<'a> {
    /// Keys of this release, with their section: `server.tls.cert_file`.
    pub(crate) keys: &'a [&'static str],
    /// Keys of the next release, or whole sections of it: they are skipped with a warning.
    pub(crate) coming: &'a [&'static str],
}

impl Names<'_> {
    pub(crate) fn is_coming(&self, path: &str) -> bool {
        self.coming.iter().any(|name| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Says that a key is unknown, and which one was perhaps meant.
    pub(crate) fn unknown_key(&self, origin: Origin, path: &str) -> Problem {
        let hint = match nearest(path, self.keys) {
            Some(name) => format!("did you mean {name}?"),
            None => "docs/configuration.md lists the keys".to_owned(),
        };
        Problem::new(origin, format!("unknown key {} ({hint})", shortened(path)))
    }

    /// Says that a section is unknown, and which one was perhaps meant.
    fn unknown_section(&self, origin: Origin, path: &str) -> Problem {
        let sections: Vec<&str> = self
            .keys
            .iter()
            .filter_map(|key| key.rsplit_once('.'))
            .map(|(name, _)| name)
            .collect();
        let hint = match nearest(path, &sections) {
            Some(name) => format!("did you mean [{name}]?"),
            None => "docs/configuration.md lists the sections".to_owned(),
        };
        Problem::new(
            origin,
            format!("unknown section [{}] ({hint})", shortened(path)),
        )
    }

    fn is_section(&self, path: &str) -> bool {
        self.keys.iter().any(|key| {
            key.strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

/// What a file gave, and what was wrong with it.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) values: BTreeMap<String, Given>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Document {
    /// Takes a TOML text apart; `name` is what messages call the file.
    pub(crate) fn parse(name: &Arc<str>, text: &str, names: &Names<'_>) -> Self {
        let mut document = Self::default();
        let places = Places { name, text };
        match DeTable::parse(text) {
            Ok(table) => document.take_table("", table.get_ref(), &places, names),
            // Only the message: the error's own display repeats the line, which may hold a secret.
            Err(error) => {
                let origin = places.at(error.span().map_or(0, |span| span.start));
                let message = format!("is not TOML: {}", error.message().replace('\n', ", "));
                document.problems.push(Problem::new(origin, message));
            }
        }
        document
    }

    /// Goes no deeper than known sections do, whatever the nesting of the text.
    fn take_table(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        at: &Places<'_>,
        names: &Names<'_>,
    ) {
        for (key, value) in table {
            let path = match prefix {
                "" => key.get_ref().to_string(),
                _ => format!("{prefix}.{}", key.get_ref()),
            };
            let key_origin = at.at(key.span().start);
            match value.get_ref() {
                _ if names.is_coming(&path) => self.warnings.push(Problem::new(
                    key_origin,
                    format!("{path} belongs to the next release and has no effect yet"),
                )),
                DeValue::Table(inner) if names.is_section(&path) => {
                    self.take_table(&path, inner, at, names);
                }
                raw if names.keys.contains(&path.as_str()) => {
                    let origin = at.at(value.span().start);
                    self.values.insert(
                        path,
                        Given {
                            raw: to_raw(raw, DEEPEST),
                            origin,
                        },
                    );
                }
                other => self.problems.push(if names.is_section(&path) {
                    let message = format!("{path} is a section: write its keys below [{path}]");
                    Problem::new(key_origin, message)
                } else if matches!(other, DeValue::Table(_)) {
                    names.unknown_section(key_origin, &path)
                } else {
                    names.unknown_key(key_origin, &path)
                }),
            }
        }
    }
}

/// Turns byte offsets of one file into lines and columns.
struct Places<'a> {
    name: &'a Arc<str>,
    text: &'a str,
}

impl Places<'_> {
    fn at(&self, offset: usize) -> Origin {
        let (line, column) = line_and_column(self.text, offset);
        Origin::File {
            name: Arc::clone(self.name),
            line,
            column,
        }
    }
}

/// Counts lines and characters from 1 up to a byte offset.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// How many tables deep values go.
const DEEPEST: usize = 4;

fn to_raw(value: &DeValue<'_>, deeper: usize) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Raw::Unfit("a number that is too large"), Raw::Number),
        DeValue::Float(_) => Raw::Unfit("a fractional number"),
        DeValue::Datetime(_) => Raw::Unfit("a date"),
        DeValue::Table(_) if deeper == 0 => Raw::Unfit("a table within tables"),
        DeValue::Table(entries) => Raw::Table(
            entries
                .iter()
                .map(|(key, value)| {
                    let name = key.get_ref().to_string();
                    let raw = to_raw(value.get_ref(), deeper - 1);
                    (name, raw, value.span().start)
                })
                .collect(),
        ),
        DeValue::Array(items) => Raw::List(
            items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::Array(_) => (Raw::Unfit("a list within a list"), item.span().start),
                    value => (to_raw(value, deeper.saturating_sub(1)), item.span().start),
                })
                .collect(),
        ),
    }
}
