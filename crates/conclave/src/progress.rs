//! How far a long command is: a bar on a terminal, and lines everywhere else.

use copy::Progress;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use crate::output;

/// After how many rows another line comes.
const TELL_EVERY: u64 = 1_000_000;

/// What a bar looks like.
const TEMPLATE: &str = "{msg}\n{wide_bar} {pos}/{len} {elapsed} (left: {eta})";

/// Shows how far a move is.
pub(crate) struct ProgressShown {
    on_terminal: bool,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    what: &'static str,
    bar: Option<ProgressBar>,
    count: u64,
    size_bytes: u64,
}

impl ProgressShown {
    /// A bar if a person looks at standard error, else lines on standard output.
    pub(crate) fn new() -> Self {
        Self {
            on_terminal: output::is_watched(),
            now: Mutex::default(),
        }
    }

    /// Shows what has come.
    pub(crate) fn show(&self, progress: Progress<'_>) {
        let mut now = self.now.lock();
        match progress {
            Progress::Begins { what, total } => {
                let bar = self.on_terminal.then(|| bar(total));
                *now = Now {
                    what,
                    bar,
                    count: 0,
                    size_bytes: 0,
                };
                if !self.on_terminal {
                    output::say(format_args!("{what}: {total} to do"));
                }
            }
            Progress::Goes {
                name,
                count,
                size_bytes,
            } => {
                let before = now.count / TELL_EVERY;
                now.count += count;
                now.size_bytes += size_bytes;
                if !self.on_terminal && now.count / TELL_EVERY > before {
                    let Now { what, count, .. } = *now;
                    output::say(format_args!("{what}: {count} done so far, now {name}"));
                }
                if let Some(bar) = &now.bar {
                    bar.set_message(message(now.what, name, now.size_bytes));
                    bar.inc(count);
                }
            }
            Progress::Done {
                name,
                count,
                size_bytes,
            } => {
                if !self.on_terminal {
                    let what = now.what;
                    output::say(format_args!(
                        "{what}: {name}, {count} done, {size_bytes} bytes"
                    ));
                }
            }
            Progress::Ends => {
                if let Some(bar) = now.bar.take() {
                    bar.finish();
                }
            }
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

fn message(what: &str, name: &str, size_bytes: u64) -> String {
    let size = HumanBytes(size_bytes);
    match (name, size_bytes) {
        ("", 0) => what.to_owned(),
        ("", _) => format!("{what}: {size}"),
        _ => format!("{what}: {size}, now {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_tells_what_and_how_much() {
        assert_eq!(message("building indexes", "", 0), "building indexes");
        let text = message("copying rows", "events", 3 * 1024 * 1024);
        assert_eq!(text, "copying rows: 3.00 MiB, now events");
        // The template is one.
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
