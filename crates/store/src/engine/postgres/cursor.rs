//! Reading a whole table through a cursor: each step is a short statement of its own.

use tokio_postgres::Statement;

use super::{Session, from_postgres};
use crate::{Row, StoreError};

/// Writing what was read may take a while, on a slow disk or a full one.
const PATIENCE: &str = "SET LOCAL idle_in_transaction_session_timeout = '10min'";

const FETCH: &str = "FETCH FORWARD 256 FROM conclave_scan";

/// Tables, their columns and types.
pub(crate) const COLUMNS: &str = "SELECT CAST(c.table_name AS TEXT), \
     CAST(c.column_name AS TEXT), CAST(c.data_type AS TEXT) \
     FROM information_schema.columns c JOIN information_schema.tables t \
     ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' \
     ORDER BY CAST(c.table_name AS TEXT) COLLATE \"C\", c.ordinal_position";

/// An open cursor in a transaction of its session.
pub(crate) struct Cursor<'a> {
    session: &'a Session,
    fetch: Statement,
}

impl Session {
    /// Opens the session's one cursor, inside its transaction.
    pub(crate) async fn scan(&self, select: &str) -> Result<Cursor<'_>, StoreError> {
        self.batch(PATIENCE).await?;
        let declare = format!("DECLARE conclave_scan NO SCROLL CURSOR FOR {select}");
        self.batch(&declare).await?;
        // Never cached: the next cursor of this name has other columns.
        let fetch = self.client.prepare(FETCH).await?;
        Ok(Cursor {
            session: self,
            fetch,
        })
    }
}

impl Cursor<'_> {
    /// The next rows; at the end the cursor is closed.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        let fetching = async {
            let rows = self.session.client.query(&self.fetch, &[]).await?;
            rows.iter()
                .map(from_postgres)
                .collect::<Result<Vec<_>, _>>()
        };
        let rows = self.session.in_time(fetching).await?;
        if rows.is_empty() {
            self.session.batch("CLOSE conclave_scan").await?;
            return Ok(None);
        }
        Ok(Some(rows))
    }
}
