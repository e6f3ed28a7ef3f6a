//! Reading a password from standard input: the first line, unseen where it is typed.

use std::io::{self, BufRead, IsTerminal, Read};

use anyhow::{Context, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::{control::Password, output};

/// Longer lines are no passwords.
const LINE_BYTES: u64 = 4096;

/// Reads a password; at a terminal it is asked for twice.
pub(super) fn read_password(question: &str) -> anyhow::Result<Password> {
    if !io::stdin().is_terminal() {
        return Ok(Password::new(read_line()?));
    }
    let first = ask(question)?;
    let second = ask("The same again")?;
    if first != second {
        bail!("the two passwords differ: nothing was changed, try again");
    }
    Ok(Password::new(first))
}

fn ask(question: &str) -> anyhow::Result<Zeroizing<String>> {
    output::ask(question);
    let unseen = Unseen::begin();
    let line = read_line();
    drop(unseen);
    output::ask_done();
    line
}

fn read_line() -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    let mut input = io::stdin().lock().take(LINE_BYTES);
    input
        .read_line(&mut line)
        .context("the password on standard input is not text in UTF-8")?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        bail!("there is no password on standard input: write it as the first line");
    }
    Ok(Zeroizing::new(password.to_owned()))
}

/// While this lives, the terminal does not show what is typed.
struct Unseen(Option<Termios>);

impl Unseen {
    fn begin() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else {
            return Self(None);
        };
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        match tcsetattr(io::stdin(), OptionalActions::Flush, &unseen) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone shows nothing either.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
