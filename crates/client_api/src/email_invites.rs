//! Inviting by addresses of mail: how a client names one, and where the keys of such invitations are
//! vouched for.
//!
//! No identity server is asked: this server knows whose an address is, and writes to it itself.

use std::sync::Arc;

use accounts::Accounts;
use axum::extract::FromRef;
use lifecycle::{InviteEmailError, Invited, Lifecycle};
use model::mail_address::MailAddress;
use rooms::Room;
use ruma::{OwnedUserId, api::client::membership::Invite3pid, thirdparty::Medium};

use crate::{Settings, caller::Caller, error::ApiError, state::ClientApi};

/// What inviting by an address takes.
#[derive(Clone)]
pub(crate) struct EmailInvites {
    pub(crate) accounts: Accounts,
    lifecycle: Lifecycle,
    settings: Arc<Settings>,
}

impl FromRef<ClientApi> for EmailInvites {
    fn from_ref(api: &ClientApi) -> Self {
        Self {
            accounts: FromRef::from_ref(api),
            lifecycle: FromRef::from_ref(api),
            settings: FromRef::from_ref(api),
        }
    }
}

impl EmailInvites {
    /// Where it is told whether the key of an invitation is good still.
    pub(crate) fn key_validity_url(&self) -> String {
        let Settings { public_url, .. } = &*self.settings;
        format!("{public_url}/_matrix/identity/v2/pubkey/ephemeral/isvalid")
    }

    /// The address that a client invites, by the one server that may be asked about it: this one.
    pub(crate) fn address_of(&self, invite: &Invite3pid) -> Result<MailAddress, ApiError> {
        if invite.medium != Medium::Email {
            let sentence = "this server invites by email and by user id alone";
            return Err(ApiError::medium_not_supported(sentence));
        }
        if !self.accounts.sends_mail() {
            return Err(InviteEmailError::NoMail.into());
        }
        let Settings {
            server_name,
            public_url,
            ..
        } = &*self.settings;
        let reached_at = public_url.split_once("://").map_or("", |(_, rest)| rest);
        if ![server_name.as_str(), reached_at].contains(&invite.id_server.as_str()) {
            return Err(ApiError::server_not_trusted(format_args!(
                "id_server: this server asks no identity server but itself, {server_name}"
            )));
        }
        let address = MailAddress::parse(&invite.address);
        address.map_err(|error| ApiError::invalid_param(format_args!("address: {error}")))
    }

    /// Invites whoever an address belongs to, or is going to; gives the user who is to be invited
    /// by their id.
    pub(crate) async fn invite(
        &self,
        room: &Room,
        caller: &Caller,
        invite: &Invite3pid,
    ) -> Result<Option<OwnedUserId>, ApiError> {
        let address = self.address_of(invite)?;
        if !room.state.may_invite(&caller.user_id) {
            let sentence = "inviting somebody needs more power in this room";
            return Err(ApiError::forbidden(sentence));
        }
        let by = (caller.user, &*caller.user_id);
        let url = self.key_validity_url();
        let invited = self
            .lifecycle
            .invite_email(&room.room_id, by, &address, &url);
        Ok(match invited.await? {
            Invited::User(user_id) => Some(user_id),
            Invited::Reader => None,
        })
    }
}

impl From<InviteEmailError> for ApiError {
    fn from(error: InviteEmailError) -> Self {
        match error {
            InviteEmailError::NoMail => Self::medium_not_supported(error),
            InviteEmailError::TooManyMails(wait) => Self::too_many(wait, error),
            InviteEmailError::TooManyInvites(_) => Self::forbidden(error),
            // It was given to somebody, and taken from them, time and again.
            InviteEmailError::HasAccount => Self::conflict(error),
            InviteEmailError::Rooms(error) => error.into(),
            InviteEmailError::Store(error) => Self::internal(error),
        }
    }
}
