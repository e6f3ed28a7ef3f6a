//! A new name or avatar, shown in every room.

use accounts::profile::{AVATAR_URL, DISPLAY_NAME, ProfileError};
use futures_util::{StreamExt, stream};
use rooms::{MemberChange, MemberProfile, RoomsError};
use ruma::{OwnedRoomId, UserId, events::room::member::MembershipState};
use serde_json::Value;
use store::StoreError;

use crate::{Lifecycle, Whose};

/// How many rooms are told at once; the log takes them in few batches.
const ROOMS_AT_ONCE: usize = 32;

/// Why a profile field was not set.
#[derive(Debug, thiserror::Error)]
pub enum SetProfileError {
    /// The field was refused.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Lifecycle {
    /// Sets a profile field or takes it back; rooms learn of a new name or avatar.
    ///
    /// Setting it again tells the rooms that an interruption left out.
    pub async fn set_profile_field(
        &self,
        whose: Whose<'_>,
        field: &str,
        value: Option<&Value>,
    ) -> Result<(), SetProfileError> {
        self.accounts
            .set_profile_field(whose.0, field, value)
            .await?;
        if field == DISPLAY_NAME || field == AVATAR_URL {
            self.show_profile(whose).await?;
        }
        Ok(())
    }

    /// How a user is shown in rooms that they join now.
    pub async fn member_profile(&self, user_id: &UserId) -> Result<MemberProfile, StoreError> {
        let profile = self.accounts.profile(user_id).await?.unwrap_or_default();
        let text = |field: &str| profile.get(field).and_then(Value::as_str);
        Ok(MemberProfile {
            displayname: text(DISPLAY_NAME).map(str::to_owned),
            avatar_url: text(AVATAR_URL).map(Into::into),
        })
    }

    async fn show_profile(&self, whose: Whose<'_>) -> Result<(), StoreError> {
        let profile = self.member_profile(whose.1).await?;
        let rooms = self.joined_rooms(whose.0).await?;
        let mut telling = stream::iter(rooms)
            .map(|room_id| self.show_in(room_id, whose.1, profile.clone()))
            .buffer_unordered(ROOMS_AT_ONCE);
        while let Some(told) = telling.next().await {
            told?;
        }
        Ok(())
    }

    async fn joined_rooms(&self, user: i64) -> Result<Vec<OwnedRoomId>, StoreError> {
        let snapshot = self.rooms.snapshot().await?;
        let mut rooms = Vec::new();
        for membership in self.rooms.memberships(&snapshot, user).await? {
            if membership.membership == MembershipState::Join
                && let Some(room) = self
                    .rooms
                    .room_by_number(&snapshot, membership.room)
                    .await?
            {
                rooms.push(room.room_id.clone());
            }
        }
        Ok(rooms)
    }

    async fn show_in(
        &self,
        room_id: OwnedRoomId,
        user_id: &UserId,
        profile: MemberProfile,
    ) -> Result<(), StoreError> {
        let join = MemberChange::Join(profile);
        let shown = self
            .rooms
            .change_member(&self.log, &room_id, user_id, user_id, join, None);
        match shown.await {
            Ok(()) => Ok(()),
            // Who has left in the meantime is not shown there any more.
            Err(RoomsError::Refused(refusal)) => {
                tracing::debug!(room.id = %room_id, %refusal, "a room does not show a new profile");
                Ok(())
            }
            Err(RoomsError::Elsewhere(error)) => Err(error.into_store()),
            Err(RoomsError::Store(error)) => Err(error),
        }
    }
}
