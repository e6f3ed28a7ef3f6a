//! What a run has seen, for who reads it.

use std::{fmt::Write as _, io::Write as _, sync::atomic::Ordering, time::Duration};

use crate::{form::by_form, load::Seen};

pub(crate) struct Report {
    text: String,
}

impl Report {
    pub(crate) fn new(fault: &str, seed: u64) -> Self {
        let form = by_form("short", "long");
        let build = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        // At once, for who looks at a run that does not end.
        print(&format!(
            "\n{fault}: seed {seed}, {form} form, {build} build\n"
        ));
        let mut report = Self {
            text: "\n".to_owned(),
        };
        report.note("fault", format_args!("{fault}, seed {seed}, {form} form"));
        report
    }

    pub(crate) fn note(&mut self, what: &str, value: impl std::fmt::Display) {
        writeln!(self.text, "{what:<28} {value}").unwrap();
    }

    /// The least, the median and the longest of these.
    pub(crate) fn note_times(&mut self, what: &str, mut times: Vec<Duration>) {
        times.sort();
        let text = match (times.first(), times.get(times.len() / 2), times.last()) {
            (Some(least), Some(median), Some(longest)) => format!(
                "{} times, from {} over {} to {} ms",
                times.len(),
                least.as_millis(),
                median.as_millis(),
                longest.as_millis()
            ),
            _ => "never".to_owned(),
        };
        self.note(what, text);
    }

    /// Prints it also where a test's output is otherwise kept for its failure.
    pub(crate) fn print(mut self, seen: &Seen, findings: &[String]) {
        let shared = &seen.shared;
        self.note(
            "acknowledged",
            format_args!(
                "{} messages, {} account data, {} after a retry",
                seen.acknowledged.messages.len(),
                seen.acknowledged.counted,
                shared.retried.load(Ordering::SeqCst)
            ),
        );
        self.note(
            "read at another node",
            shared.read_back.load(Ordering::SeqCst),
        );
        let syncs: usize = seen.followed.iter().map(|followed| followed.answers).sum();
        self.note("syncs that changed the node", syncs);
        let (longest, silence) = {
            let waits = shared.waits.lock().unwrap();
            (waits.longest, waits.silence)
        };
        self.note(
            "longest wait of anybody",
            format_args!("{} ms", longest.as_millis()),
        );
        self.note(
            "longest silence of all",
            format_args!("{} ms", silence.as_millis()),
        );
        self.note("findings", findings.len());
        print(&self.text);
    }
}

fn print(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}
