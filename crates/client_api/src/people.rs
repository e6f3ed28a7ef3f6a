//! Who people are to rooms: how they are shown, and whether they can be invited.

use accounts::Accounts;
use bridging::Bridging;
use rooms::MemberProfile;
use ruma::UserId;

use crate::{caller::Caller, error::ApiError};

/// How somebody with an account here is shown in rooms; `None` when there is no such account.
pub(crate) async fn shown(
    accounts: &Accounts,
    user_id: &UserId,
) -> Result<Option<MemberProfile>, ApiError> {
    let shown = accounts.shown(user_id).await.map_err(ApiError::internal)?;
    Ok(shown.map(|shown| MemberProfile {
        displayname: shown.displayname,
        avatar_url: shown.avatar_url,
    }))
}

/// How the caller is shown; a caller has an account, unless it was closed this moment.
pub(crate) async fn own(accounts: &Accounts, user_id: &UserId) -> Result<MemberProfile, ApiError> {
    Ok(shown(accounts, user_id).await?.unwrap_or_default())
}

/// How somebody who is to be invited is shown.
///
/// Refuses people whom this server does not know: an invitation to nobody would stand for ever. A
/// service makes those that it claims when somebody asks for them.
pub(crate) async fn invitable(
    (accounts, bridging): (&Accounts, &Bridging),
    caller: &Caller,
    user_id: &UserId,
) -> Result<MemberProfile, ApiError> {
    if user_id.server_name() != accounts.server_name() {
        return Err(ApiError::forbidden(format_args!(
            "{user_id} is on another server, and this server does not federate"
        )));
    }
    let account = || async { accounts.account(user_id).await.map_err(ApiError::internal) };
    let mut known = account().await?;
    let asking = caller.appservice.as_ref();
    if known.is_none() && bridging.has_user(user_id, asking).await {
        known = account().await?;
    }
    match known {
        Some(account) if account.deactivated_at.is_none() => own(accounts, user_id).await,
        _ => Err(ApiError::not_found(format_args!(
            "there is no user {user_id}"
        ))),
    }
}
