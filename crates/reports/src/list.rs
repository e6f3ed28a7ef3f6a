//! Reading reports, oldest first.

use model::time::Timestamp;
use store::{Reader, Row, StoreError};

use crate::{Reports, applier::place};

const LIST: &str = "SELECT id, reporter, user_id, room, event_id, at, reason FROM reports \
     WHERE id > $1 ORDER BY id LIMIT $2";

/// What somebody reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its number.
    pub id: i64,
    /// Who reported it.
    pub reporter: String,
    /// The person, or the sender of the event.
    pub user_id: Option<String>,
    /// The room, or that of the event.
    pub room_id: Option<String>,
    /// The event.
    pub event_id: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Reports {
    /// Some reports, after one of them.
    pub async fn list(&self, after: i64, limit: u16) -> Result<Vec<Report>, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let params = [after.into(), i64::from(limit).into()];
        let mut reports = Vec::new();
        for row in snapshot.query(LIST, &params).await? {
            reports.push(self.read(&snapshot, &row).await?);
        }
        Ok(reports)
    }

    async fn read(&self, reader: &Reader, row: &Row) -> Result<Report, StoreError> {
        let names = self.log.database().names();
        let id = row.int(0)?;
        let text = id.to_string();
        let reason = self.keyring.open(reader, place(&text), row.bytes(6)?);
        let reason = String::from_utf8(reason.await?)
            .map_err(|_| StoreError::Damaged("reports.reason".to_owned()))?;
        let user_id = match row.opt_int(2)? {
            Some(user) => Some(names.user_name(reader, user).await?.to_string()),
            None => None,
        };
        let room_id = match row.opt_int(3)? {
            Some(room) => Some(names.room_name(reader, room).await?.to_string()),
            None => None,
        };
        Ok(Report {
            id,
            reporter: names.user_name(reader, row.int(1)?).await?.to_string(),
            user_id,
            room_id,
            event_id: row.opt_text(4)?.map(str::to_owned),
            at: Timestamp::from_millis(row.int(5)?),
            reason,
        })
    }
}
