//! Inviting by addresses of mail: how a client names one, and where the keys of such invitations are
//! vouched for.
//!
//! No identity server is asked: this server knows whose an address is, and writes to it itself.

use accounts::Accounts;
use lifecycle::InviteEmailError;
use model::mail_address::MailAddress;
use ruma::{api::client::membership::Invite3pid, thirdparty::Medium};

use crate::{Settings, error::ApiError};

/// Where it is told whether the key of an invitation is good still.
pub(crate) fn key_validity_url(settings: &Settings) -> String {
    let Settings { public_url, .. } = settings;
    format!("{public_url}/_matrix/identity/v2/pubkey/ephemeral/isvalid")
}

/// The address that a client invites, by the one server that may be asked about it: this one.
pub(crate) fn address_of(
    accounts: &Accounts,
    settings: &Settings,
    invite: &Invite3pid,
) -> Result<MailAddress, ApiError> {
    if invite.medium != Medium::Email {
        let sentence = "this server invites by email and by user id alone";
        return Err(ApiError::medium_not_supported(sentence));
    }
    if !accounts.sends_mail() {
        return Err(InviteEmailError::NoMail.into());
    }
    let reached_at = settings.public_url.split_once("://");
    let here = [
        settings.server_name.as_str(),
        reached_at.map_or("", |(_, rest)| rest),
    ];
    if !here.contains(&invite.id_server.as_str()) {
        return Err(ApiError::server_not_trusted(format_args!(
            "id_server: this server asks no identity server but itself, {}",
            settings.server_name
        )));
    }
    let address = MailAddress::parse(&invite.address);
    address.map_err(|error| ApiError::invalid_param(format_args!("address: {error}")))
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
