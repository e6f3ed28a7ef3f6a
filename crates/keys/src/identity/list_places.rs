//! Where in the log devices and keys changed, for who follows it.

use store::{Pos, Reader, StoreError};

use crate::Keys;

impl Keys {
    /// The users whose devices, keys or signatures changed after a position, up to another, and
    /// where; but for what one user alone is told.
    pub async fn device_changes(
        &self,
        reader: &Reader,
        after: Pos,
        upto: Pos,
    ) -> Result<Vec<(Pos, i64)>, StoreError> {
        const CHANGES: &str = "SELECT pos, user_id FROM device_list_changes \
             WHERE pos > $1 AND pos <= $2 AND seen_by IS NULL ORDER BY pos, user_id";
        let params = [after.get().into(), upto.get().into()];
        let rows = reader.query(CHANGES, &params).await?;
        let changes = rows
            .iter()
            .map(|row| Ok((Pos::new(row.int(0)?), row.int(1)?)));
        changes.collect()
    }
}
