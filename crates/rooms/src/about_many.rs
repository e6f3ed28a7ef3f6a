//! Statements about many events at once, in one text for each of a few sizes.

use std::{fmt::Write as _, sync::OnceLock};

use ruma::OwnedEventId;
use store::{Reader, Row, StoreError, Value};

/// How many events a statement has places for. Those that are left over are NULL.
const SIZES: [usize; 3] = [16, 128, 512];

/// A statement that may name the table `wanted (event_id)`, or `wanted (ord)`.
///
/// It begins there and says `CROSS JOIN`, which SQLite takes in this order: left to choose, it reads
/// all of a room as soon as many events are wanted.
pub(crate) struct AboutMany {
    text: &'static str,
    /// How many parameters the text has of its own.
    own: usize,
    column: &'static str,
    kind: &'static str,
    by_size: [OnceLock<String>; SIZES.len()],
}

impl AboutMany {
    pub(crate) const fn new(text: &'static str, own: usize) -> Self {
        Self::wanting(text, own, "event_id", "TEXT")
    }

    /// About places in a timeline.
    pub(crate) const fn of_places(text: &'static str, own: usize) -> Self {
        Self::wanting(text, own, "ord", "BIGINT")
    }

    const fn wanting(
        text: &'static str,
        own: usize,
        column: &'static str,
        kind: &'static str,
    ) -> Self {
        Self {
            text,
            own,
            column,
            kind,
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
        let wanted: Vec<_> = events.iter().map(|event| event.as_str().into()).collect();
        self.query_values(reader, own, &wanted).await
    }

    /// Asks about these places, whose rows come in no order.
    pub(crate) async fn query_places(
        &'static self,
        reader: &Reader,
        own: &[Value],
        places: &[i64],
    ) -> Result<Vec<Row>, StoreError> {
        let wanted: Vec<_> = places.iter().map(|place| (*place).into()).collect();
        self.query_values(reader, own, &wanted).await
    }

    async fn query_values(
        &'static self,
        reader: &Reader,
        own: &[Value],
        wanted: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for wanted in wanted.chunks(SIZES[SIZES.len() - 1]) {
            let size = SIZES.iter().position(|size| wanted.len() <= *size);
            let size = size.unwrap_or(SIZES.len() - 1);
            let mut params = own.to_vec();
            params.extend(wanted.iter().cloned());
            params.resize(self.own + SIZES[size], Value::Null);
            rows.extend(reader.query(self.sized(size), &params).await?);
        }
        Ok(rows)
    }

    fn sized(&'static self, size: usize) -> &'static str {
        debug_assert!(!self.text.contains("wanted w JOIN"), "{}", self.text);
        self.by_size[size].get_or_init(|| {
            let (column, kind) = (self.column, self.kind);
            let mut text = format!("WITH wanted ({column}) AS (VALUES ");
            for place in 0..SIZES[size] {
                let comma = if place == 0 { "" } else { ", " };
                let number = self.own + place + 1;
                write!(text, "{comma}(CAST(${number} AS {kind}))").expect("a string takes all");
            }
            text + ") " + self.text
        })
    }
}
