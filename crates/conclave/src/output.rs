//! What is said to the person at the terminal: the only place that prints.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

/// Says something on standard output: what a command was asked for.
///
/// Whoever reads it may have read enough and gone: then nobody is left to be told.
pub(crate) fn say(text: impl Display) {
    drop(writeln!(io::stdout(), "{text}"));
}

/// Says something on standard error: what went wrong, or what is to be known beside the answer.
///
/// Where that cannot be written, on a full disk perhaps, the exit code still tells.
pub(crate) fn complain(text: impl Display) {
    drop(writeln!(io::stderr(), "conclave: {text}"));
}

/// Says on standard error how far something is, if a person looks.
pub(crate) fn tell(text: &str) {
    if is_watched() {
        complain(text);
    }
}

/// Whether a person looks at standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Asks on standard error for what is then typed, on the same line.
pub(crate) fn ask(question: impl Display) {
    drop(write!(io::stderr(), "{question}: "));
}

/// Ends the line on which something was typed unseen.
pub(crate) fn ask_done() {
    drop(writeln!(io::stderr()));
}
