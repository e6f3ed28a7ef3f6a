//! Statements about many events at once, in one text for each of a few sizes.

use std::{fmt::Write as _, sync::OnceLock};

use ruma::OwnedEventId;
use store::{Reader, Row, StoreError, Value};

/// How many events a statement has places for. Those that are left over are NULL.
const SIZES: [usize; 3] = [16, 128, 512];

/// A statement that may name the table `wanted (event_id)`.
pub(crate) struct AboutMany {
    text: &'static str,
    /// How many parameters the text has of its own.
    own: usize,
    by_size: [OnceLock<String>; SIZES.len()],
}

impl AboutMany {
    pub(crate) const fn new(text: &'static str, own: usize) -> Self {
        Self {
            text,
            own,
            by_size: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    /// Asks about these events, whose rows come in no order.
    pub(crate) async fn query(
        &'static self,
        reader: &Reader,
        own: &[Value],
        events: &[OwnedEventId],
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for events in events.chunks(SIZES[SIZES.len() - 1]) {
            let size = SIZES.iter().position(|size| events.len() <= *size);
            let size = size.unwrap_or(SIZES.len() - 1);
            let mut params = own.to_vec();
            params.extend(events.iter().map(|event| event.as_str().into()));
            params.resize(self.own + SIZES[size], Value::Null);
            rows.extend(reader.query(self.sized(size), &params).await?);
        }
        Ok(rows)
    }

    fn sized(&'static self, size: usize) -> &'static str {
        self.by_size[size].get_or_init(|| {
            let mut text = "WITH wanted (event_id) AS (VALUES ".to_owned();
            for place in 0..SIZES[size] {
                let comma = if place == 0 { "" } else { ", " };
                let number = self.own + place + 1;
                write!(text, "{comma}(CAST(${number} AS TEXT))").expect("a string takes all");
            }
            text + ") " + self.text
        })
    }
}
