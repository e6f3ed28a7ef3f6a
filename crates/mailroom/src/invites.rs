//! Invitations by address whose address stands for an account by now: its owner is invited.

use accounts::{Accounts, emails::DueEmailInvite};
use rooms::{MemberProfile, RoomsError};
use store::{Intent, StoreError};

use crate::mailroom::Inner;

impl Inner {
    /// Makes good on all invitations that have found whom they are for.
    ///
    /// Whatever becomes of one, it is gone afterwards. What an interruption leaves is done when
    /// this is called again, also by another node.
    pub(crate) async fn settle_invites(&self) -> Result<(), StoreError> {
        loop {
            let due = self.accounts.due_email_invites().await?;
            if due.is_empty() {
                return Ok(());
            }
            for invite in due {
                self.settle_invite(&invite).await?;
            }
        }
    }

    async fn settle_invite(&self, invite: &DueEmailInvite) -> Result<(), StoreError> {
        match self.invite_owner(invite).await {
            Ok(()) => Ok(()),
            Err(RoomsError::Store(error)) => Err(error),
            // They are in the room or banned from it, take no invitations, or the invitation was
            // taken back, or whoever made it may not invite any more.
            Err(refusal @ (RoomsError::Refused(_) | RoomsError::Elsewhere(_))) => {
                tracing::info!(%refusal, "somebody was not invited by their address");
                self.accounts.end_email_invite(&invite.token).await
            }
        }
    }

    async fn invite_owner(&self, invite: &DueEmailInvite) -> Result<(), RoomsError> {
        let DueEmailInvite { token, .. } = invite;
        let snapshot = self.rooms.snapshot().await?;
        let inviter = self.rooms.user_id(&snapshot, invite.inviter).await?;
        let user_id = self.rooms.user_id(&snapshot, invite.user).await?;
        let room = self.rooms.room_by_number(&snapshot, invite.room).await?;
        drop(snapshot);
        let Some(room) = room else {
            return Ok(self.accounts.end_email_invite(token).await?);
        };
        let shown = self.accounts.shown(&user_id).await?.unwrap_or_default();
        let profile = MemberProfile {
            displayname: shown.displayname,
            avatar_url: shown.avatar_url,
        };
        let signed = self.accounts.sign_email_invite(token, &user_id);
        let mut intent = Intent::new();
        // First, so that nothing is done where another node was faster.
        Accounts::add_end_email_invite(&mut intent, token);
        accounts::demand_standing(&mut intent, invite.inviter);
        let whose = (&*user_id, &profile);
        self.rooms
            .add_known_invite(&mut intent, (&room, &inviter), whose, signed);
        self.rooms.commit_all(&self.log, intent).await.map(drop)
    }
}
