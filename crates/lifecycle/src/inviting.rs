//! Inviting somebody into a room by an address of mail.

use std::time::Duration;

use accounts::emails::{EmailChanges, EmailRefusal, InviteWords, NewEmailInvite};
use model::mail_address::MailAddress;
use rooms::{RoomsError, ThirdPartyInvite};
use ruma::{OwnedUserId, RoomId};
use store::{Intent, StoreError};

use crate::{Lifecycle, Whose};

/// How often whose an address is may change while somebody is invited by it.
const ATTEMPTS: usize = 3;

/// Whom an address invites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invited {
    /// The user whose address it is: they are to be invited by their id, and were not yet.
    User(OwnedUserId),
    /// Whoever makes the address an account's. They were sent a mail.
    Reader,
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteEmailError {
    /// This server sends no mail.
    #[error("this server sends no mail, and so invites by user id alone")]
    NoMail,
    /// The address was sent as many mails as it may be sent.
    #[error("this address was sent many mails already; try again later")]
    TooManyMails(Duration),
    /// The user has invited as many people by their addresses as one may.
    #[error("{0}")]
    TooManyInvites(EmailRefusal),
    /// The address has got an owner in between.
    #[error("the address of mail belongs to an account")]
    HasAccount,
    /// The room does not allow it.
    #[error(transparent)]
    Rooms(RoomsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EmailRefusal> for InviteEmailError {
    fn from(refusal: EmailRefusal) -> Self {
        match refusal {
            EmailRefusal::TooManyMails(wait) => Self::TooManyMails(wait),
            EmailRefusal::TooManyInvites => Self::TooManyInvites(refusal),
            EmailRefusal::HasAccount => Self::HasAccount,
            EmailRefusal::Store(error) => Self::Store(error),
            other => Self::Store(StoreError::Refused(other.to_string())),
        }
    }
}

impl From<RoomsError> for InviteEmailError {
    fn from(error: RoomsError) -> Self {
        match error {
            RoomsError::Elsewhere(error) => match error.refusal::<EmailChanges>() {
                Ok(refusal) => refusal.into(),
                Err(error) => Self::Rooms(RoomsError::Elsewhere(error)),
            },
            RoomsError::Store(error) => Self::Store(error),
            refused @ RoomsError::Refused(_) => Self::Rooms(refused),
        }
    }
}

impl Lifecycle {
    /// Invites whoever reads an address into a room; inviting them again changes nothing, and
    /// sends no other mail.
    ///
    /// `key_validity_url` is where it is told whether the key of the invitation is good.
    pub async fn invite_email(
        &self,
        room_id: &RoomId,
        by: Whose<'_>,
        address: &MailAddress,
        key_validity_url: &str,
    ) -> Result<Invited, InviteEmailError> {
        if !self.accounts.sends_mail() {
            return Err(InviteEmailError::NoMail);
        }
        for _ in 0..ATTEMPTS {
            if let Some(user_id) = self.accounts.email_owner(address).await? {
                return Ok(Invited::User(user_id));
            }
            let invited = self.invite_reader(room_id, by, address, key_validity_url);
            match invited.await {
                Ok(()) => return Ok(Invited::Reader),
                Err(InviteEmailError::HasAccount) => {}
                Err(error) => return Err(error),
            }
        }
        Err(InviteEmailError::HasAccount)
    }

    async fn invite_reader(
        &self,
        room_id: &RoomId,
        (user, user_id): Whose<'_>,
        address: &MailAddress,
        key_validity_url: &str,
    ) -> Result<(), InviteEmailError> {
        let mut room = self.rooms.room(room_id).await?;
        let standing = self.accounts.email_invite(room.room, address).await?;
        if let Some(token) = &standing {
            // Another node may just have made it: what the room has to say of it is known then.
            self.log.barrier().await?;
            room = self.rooms.room(room_id).await?;
            if room.has_third_party_invite(token) && room.state.may_invite(user_id) {
                return Ok(());
            }
        }
        let words = InviteWords {
            inviter: room.state.display_name(user_id),
            room: room.state.name(),
        };
        let invite = self.accounts.new_email_invite(user, address, words);
        let mut intent = Intent::new();
        let event = invitation(&invite, key_validity_url);
        self.rooms
            .add_third_party_invite(&mut intent, (room_id, user_id), &event);
        invite.add_to(&mut intent, room_id, standing);
        self.rooms.commit_all(&self.log, intent).await?;
        Ok(())
    }
}

/// What stands in the room for whom an invitation is for.
pub fn invitation(invite: &NewEmailInvite, key_validity_url: &str) -> ThirdPartyInvite {
    ThirdPartyInvite {
        token: invite.token.clone(),
        display_name: invite.hint.clone(),
        public_key: invite.public_key.clone(),
        key_validity_url: key_validity_url.to_owned(),
    }
}
