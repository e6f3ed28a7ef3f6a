//! Whose devices and keys changed between two positions.

use store::{Pos, Reader, StoreError};

use crate::Keys;

impl Keys {
    /// The users whose devices, keys or visible signatures changed after `from`, up to `to`.
    ///
    /// Signatures that `reader_user` made on others are told to them alone. The caller keeps
    /// those who share a room with the reader, and the reader.
    pub async fn changed_users(
        &self,
        reader: &Reader,
        reader_user: i64,
        from: Pos,
        to: Pos,
    ) -> Result<Vec<i64>, StoreError> {
        const CHANGED: &str = "SELECT DISTINCT user_id FROM device_list_changes \
             WHERE pos > $1 AND pos <= $2 AND (seen_by IS NULL OR seen_by = $3) ORDER BY user_id";
        let params = [from.get().into(), to.get().into(), reader_user.into()];
        let rows = reader.query(CHANGED, &params).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }
}
