//! `[log]`: what this server writes about its work.

use super::section;
use crate::values::{LogFilter, Raw, Rejection, Value, choose, list_choices, quoted};

section! {
    /// What this server writes about its work. Messages, tokens and passwords are never in it.
    pub Log in "log" {
        /// `pretty`: lines for people. `json`: one object a line, for machines.
        format: LogFormat = "pretty";
        /// The least severe level that is written, for the whole server or for parts of it.
        /// What libraries write below `info` is left out: it may hold what passes through them.
        level: LogFilter = "info";
    }
}

/// The form of log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    const CHOICES: [(&str, Self); 2] = [("pretty", Self::Pretty), ("json", Self::Json)];
}

impl Value for LogFormat {
    fn accepts() -> String {
        list_choices(&Self::CHOICES)
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        choose(raw, &Self::CHOICES)
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        })
    }
}
