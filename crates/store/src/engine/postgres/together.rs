//! What a batch inserts, as one statement for several tables: PostgreSQL answers each statement by
//! itself, and waking up for an answer costs both sides more than inserting some rows.

use super::{Step, values::numbered_text_of};
use crate::Insert;

/// The most tables of one statement.
const MOST_TABLES: usize = 16;

/// Cuts the steps of a batch into parts, each of which is one statement: inserts in a row, each into
/// another table, or a step of another kind.
///
/// What one statement inserts, its other parts do not see. So a table is in it once, and whatever
/// is not an insert, which may read what was inserted, stands behind it.
pub(super) fn parts(steps: &[Step]) -> Vec<&[Step]> {
    let mut parts = Vec::new();
    let mut first = 0;
    for (index, step) in steps.iter().enumerate().skip(1) {
        let part = &steps[first..index];
        if part.len() >= MOST_TABLES || !part.iter().all(|before| go_together(before, step)) {
            parts.push(part);
            first = index;
        }
    }
    if first < steps.len() {
        parts.push(&steps[first..]);
    }
    parts
}

fn go_together(before: &Step, step: &Step) -> bool {
    match (before, step) {
        (Step::Insert(before, _), Step::Insert(insert, _)) => before.table != insert.table,
        _ => false,
    }
}

/// The statement that makes several inserts.
pub(super) fn text_of(inserts: &[&Insert]) -> String {
    let mut first = 1;
    let texts = inserts.iter().map(|insert| {
        let text = numbered_text_of(insert, first);
        first += insert.columns.len();
        text
    });
    let mut texts: Vec<String> = texts.collect();
    let last = texts.pop().unwrap_or_default();
    let named = texts.iter().enumerate();
    let named: Vec<_> = named
        .map(|(index, text)| format!("w{index} AS ({text})"))
        .collect();
    format!("WITH {} {last}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnType;

    static ROOMS: Insert = Insert {
        table: "rooms",
        columns: &[("room", ColumnType::Int), ("name", ColumnType::Text)],
        on_conflict: "ON CONFLICT (room) DO NOTHING",
    };

    static EVENTS: Insert = Insert {
        table: "events",
        columns: &[("pos", ColumnType::Int), ("sealed", ColumnType::Bytes)],
        on_conflict: "",
    };

    /// Another insert into the same table.
    static ROOMS_AGAIN: Insert = Insert {
        table: "rooms",
        columns: &[("room", ColumnType::Int)],
        on_conflict: "",
    };

    fn insert(insert: &'static Insert) -> Step {
        Step::Insert(insert, Vec::new())
    }

    fn sizes(steps: &[Step]) -> Vec<usize> {
        parts(steps).into_iter().map(<[Step]>::len).collect()
    }

    #[test]
    fn inserts_in_a_row_go_together_unless_they_are_into_one_table() {
        let update = || Step::Execute("UPDATE events SET sealed = NULL", Vec::new());
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[update()]), [1]);
        assert_eq!(sizes(&[insert(&ROOMS), insert(&EVENTS)]), [2]);
        let again = [insert(&ROOMS), insert(&EVENTS), insert(&ROOMS_AGAIN)];
        assert_eq!(sizes(&again), [2, 1]);
        let between = [insert(&ROOMS), update(), update(), insert(&EVENTS)];
        assert_eq!(sizes(&between), [1, 1, 1, 1]);
    }

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(
            text_of(&[&ROOMS, &EVENTS, &ROOMS_AGAIN]),
            "WITH w0 AS (INSERT INTO rooms (room, name) SELECT * FROM UNNEST($1::BIGINT[], \
             $2::TEXT[]) ON CONFLICT (room) DO NOTHING), \
             w1 AS (INSERT INTO events (pos, sealed) SELECT * FROM UNNEST($3::BIGINT[], \
             $4::BYTEA[]) ) \
             INSERT INTO rooms (room) SELECT * FROM UNNEST($5::BIGINT[]) "
        );
    }
}
