//! Lengths of time.

use std::time::Duration;

use super::{Raw, Rejection, Value, quoted};

/// What is longer is a slip of the pen.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

impl Value for Duration {
    fn accepts() -> String {
        "a length of time, such as \"30s\", \"15min\" or \"1day\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let duration = humantime::parse_duration(raw.text()?)
            .map_err(|_| Rejection::new("is not a length of time"))?;
        if duration < Self::from_secs(1) || duration > LONGEST {
            return Err(Rejection::new("is not between 1s and 10years"));
        }
        Ok(duration)
    }

    fn show(&self) -> String {
        quoted(&humantime::format_duration(*self).to_string())
    }
}
