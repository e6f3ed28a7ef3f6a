//! Where a value came from.

use std::{fmt, sync::Arc};

/// The layer, and the place in it, that gave a key its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set the key.
    Default,
    /// The configuration file; line and column count from 1, in characters.
    File {
        /// The file's name as it was given.
        name: Arc<str>,
        /// Line of the value.
        line: usize,
        /// Column of the value.
        column: usize,
    },
    /// An environment variable, by name.
    Environment(String),
    /// A command-line option, by name.
    CommandLine(&'static str),
}

impl Origin {
    /// Orders the layers: the higher one wins.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Environment(_) => 2,
            Self::CommandLine(_) => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::CommandLine(option) => write!(f, "command line {option}"),
        }
    }
}
