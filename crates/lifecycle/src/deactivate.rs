//! Closing an account: nobody signs in to it again, its keys, its pushers and what it
//! has scheduled go, and it leaves its rooms.

use accounts::{Account, AccountError, By};
use rooms::{MemberChange, RoomsError};
use ruma::{UserId, events::room::member::MembershipState};
use store::{Intent, StoreError};

use crate::{Lifecycle, Whose};

/// How many accounts are looked at together.
const PAGE: u16 = 500;

/// Why an account was not closed.
#[derive(Debug, thiserror::Error)]
pub enum DeactivateError {
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchUser,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Lifecycle {
    /// Closes an account, and with `erase` takes back what the person told of themselves.
    ///
    /// Closing it again finishes what was interrupted.
    pub async fn deactivate(
        &self,
        user_id: &UserId,
        erase: bool,
        by: &By,
    ) -> Result<(), DeactivateError> {
        let account = self.accounts.account(user_id).await?;
        let account = account.ok_or(DeactivateError::NoSuchUser)?;
        let whose = (account.user, user_id);
        let mut intent = Intent::new();
        self.accounts
            .add_deactivation(&mut intent, whose, erase, by);
        self.keys.add_drop_user(&mut intent, user_id);
        self.rooms.add_drop_delayed(&mut intent, user_id);
        self.pushers.add_drop_user(&mut intent, user_id);
        let closed = self.commit_accounts(intent).await;
        closed
            .map_err(AccountError::from)
            .map_err(|error| match error {
                AccountError::NoSuchUser | AccountError::NoPerson => DeactivateError::NoSuchUser,
                AccountError::Store(error) => DeactivateError::Store(error),
            })?;
        Ok(self.leave_all_rooms(whose).await?)
    }

    /// Lets closed accounts leave the rooms that an interruption left them in; for the start.
    pub async fn finish_deactivations(&self) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let page = self.accounts.list(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.user;
            let closed = |account: &&Account| account.deactivated_at.is_some();
            for account in page.iter().filter(closed) {
                self.leave_all_rooms((account.user, &account.user_id))
                    .await?;
            }
        }
    }

    async fn leave_all_rooms(&self, (user, user_id): Whose<'_>) -> Result<(), StoreError> {
        let snapshot = self.rooms.snapshot().await?;
        let memberships = self.rooms.memberships(&snapshot, user).await?;
        let mut room_ids = Vec::new();
        for membership in memberships {
            let inside = matches!(
                membership.membership,
                MembershipState::Join | MembershipState::Invite | MembershipState::Knock
            );
            if inside
                && let Some(room) = self
                    .rooms
                    .room_by_number(&snapshot, membership.room)
                    .await?
            {
                room_ids.push(room.room_id.clone());
            }
        }
        // No snapshot stays open while changes commit.
        drop(snapshot);
        for room_id in room_ids {
            let leave = MemberChange::LeaveForGood;
            let left = self
                .rooms
                .change_member(&self.log, &room_id, user_id, user_id, leave, None);
            match left.await {
                Ok(()) => {}
                Err(RoomsError::Refused(refusal)) => {
                    tracing::warn!(room.id = %room_id, %refusal, "a closed account could not leave a room");
                }
                Err(RoomsError::Elsewhere(error)) => return Err(error.into_store()),
                Err(RoomsError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }
}
