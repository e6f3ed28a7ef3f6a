//! Statements about many things at once, in one text for each of a few sizes.

use std::sync::OnceLock;

use ruma::OwnedEventId;
use store::{Reader, Row, StoreError, Value};

/// How many things a statement has places for. Those that are left over are NULL.
const SIZES: [usize; 4] = [16, 48, 128, 512];

/// A statement that may name the table `wanted (event_id)`, or `wanted (ord)`; or one that ends with
/// a list of what is wanted.
///
/// It begins at the table and says `CROSS JOIN`, which SQLite takes in this order: left to choose,
/// it reads all of a room as soon as many events are wanted.
pub(crate) struct AboutMany {
    text: &'static str,
    /// How many parameters the text has of its own.
    own: usize,
    form: Form,
    by_size: [OnceLock<String>; SIZES.len()],
}

/// How a statement is told what is wanted.
enum Form {
    /// A table of this column and type.
    Table(&'static str, &'static str),
    /// `column IN (…)`, at its end.
    List,
}

impl AboutMany {
    pub(crate) const fn new(text: &'static str, own: usize) -> Self {
        Self::told(text, own, Form::Table("event_id", "TEXT"))
    }

    /// About places in a timeline.
    pub(crate) const fn of_places(text: &'static str, own: usize) -> Self {
        Self::told(text, own, Form::Table("ord", "BIGINT"))
    }

    /// A text that ends with `IN`.
    pub(crate) const fn ending_with_list(text: &'static str, own: usize) -> Self {
        Self::told(text, own, Form::List)
    }

    const fn told(text: &'static str, own: usize, form: Form) -> Self {
        Self {
            text,
            own,
            form,
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

    /// Asks about values of whichever type, whose rows come in no order.
    pub(crate) async fn query_values(
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
            let numbers = self.own + 1..=self.own + SIZES[size];
            match self.form {
                Form::Table(column, kind) => {
                    let rows = numbers.map(|number| format!("(CAST(${number} AS {kind}))"));
                    let rows = rows.collect::<Vec<_>>().join(", ");
                    format!("WITH wanted ({column}) AS (VALUES {rows}) {}", self.text)
                }
                Form::List => {
                    let numbers = numbers.map(|number| format!("${number}"));
                    let numbers = numbers.collect::<Vec<_>>().join(", ");
                    format!("{} ({numbers})", self.text)
                }
            }
        })
    }
}
