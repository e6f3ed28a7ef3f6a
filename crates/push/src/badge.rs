//! How much a person has not read, everywhere.

use store::{Snapshot, StoreError};

use crate::{news::Reader, push::Inner};

impl Reader {
    /// How many events notify the reader that they have not read, in all rooms that they are in,
    /// and how many rooms they are asked into.
    pub(crate) async fn unread(
        &self,
        inner: &Inner,
        snapshot: &Snapshot,
    ) -> Result<u64, StoreError> {
        let mut unread = 0;
        let user = (self.user, &*self.user_id);
        for membership in inner.rooms.memberships(snapshot, self.user).await? {
            match membership.membership.as_str() {
                "invite" => unread += 1,
                "join" => {
                    let number = membership.room;
                    if let Some(room) = inner.rooms.room_by_number(snapshot, number).await? {
                        let counts = inner.rooms.unread(snapshot, &room, user, &self.judge);
                        unread += counts.await?.all().notification_count;
                    }
                }
                _ => {}
            }
        }
        Ok(unread)
    }
}
