//! What the commands say to the person who typed them.

use std::{
    fmt::Display,
    io::{IsTerminal, Write, stdout},
};

/// Prints one line; nobody listening is not an error.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(stdout().lock(), "{line}");
}

/// Says whether a person watches, who would like colours.
pub(crate) fn is_watched() -> bool {
    stdout().is_terminal()
}

/// Takes colours and cursor movements out of a line.
pub(crate) fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        let sequence = &rest[start..];
        let end = sequence
            .char_indices()
            .skip(2)
            .find(|(_, character)| character.is_ascii_alphabetic())
            .map_or(sequence.len(), |(at, _)| at + 1);
        rest = &sequence[end..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out_and_nothing_else() {
        let line = "\u{1b}[32;1m   PASS\u{1b}[0m [0.1s] \u{1b}[35mstore\u{1b}[0m café";
        assert_eq!(without_colours(line), "   PASS [0.1s] store café");
        assert_eq!(without_colours("cut \u{1b}[3"), "cut ");
    }
}
