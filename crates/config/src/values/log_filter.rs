//! Which log records are written.

use tracing_subscriber::EnvFilter;

use super::{Raw, Rejection, Value, quoted};

/// A level, or directives for parts of the program, that `tracing-subscriber` has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Gives the directives.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Value for LogFilter {
    fn accepts() -> String {
        "\"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or directives such as \
         \"info,store=debug\""
            .to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        // A lone word that is no level is taken for a target and silences all else.
        let mistyped = text.split(',').map(str::trim).any(|directive| {
            let word = !directive.contains(['=', '[', ']', '{', '}', '"']);
            let level = LEVELS
                .iter()
                .any(|level| level.eq_ignore_ascii_case(directive));
            (word && !level) || directive.ends_with('=')
        });
        if mistyped || EnvFilter::builder().parse(text).is_err() {
            return Err(Rejection::new("is not a log level or a list of directives"));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{LogFilter, Raw, Value};

    #[test]
    fn a_mistyped_level_is_refused_rather_than_taken_for_a_target() {
        for text in [
            "inof",
            "",
            "info,",
            "store=loud",
            "info,stroe",
            "[",
            "info,store=",
        ] {
            assert!(
                LogFilter::parse(&Raw::Text(text.to_owned())).is_err(),
                "{text}"
            );
        }
        for text in [
            "info",
            "OFF",
            "info,store=debug",
            "warn,[client.login]=trace",
        ] {
            assert!(
                LogFilter::parse(&Raw::Text(text.to_owned())).is_ok(),
                "{text}"
            );
        }
    }
}
