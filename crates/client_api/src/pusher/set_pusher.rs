//! `POST /_matrix/client/v3/pushers/set` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset

use accounts::Accounts;
use axum::extract::State;
use model::mail_address::MailAddress;
use push::Gateways;
use pushers::Pushers;
use ruma::api::client::push::{
    PusherIds, PusherKind,
    set_pusher::v3::{PusherAction, Request, Response},
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// What pushers there are.
const KINDS: &str = "kind: it is http, email or null";

/// The application of all pushers that send mails.
const EMAIL_APP: &str = "m.email";

/// Adds, replaces or removes one of the caller's pushers.
///
/// It belongs to the session that sets it, and goes with it. One that sends mails writes to an
/// address of the caller's account.
#[instrument(name = "client.set_pusher", skip_all)]
pub(crate) async fn set_pusher(
    State(pushers): State<Pushers>,
    State(gateways): State<Gateways>,
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let mut post = match req.action {
        PusherAction::Delete(mut ids) => {
            fold(&mut ids);
            pushers.remove(caller.user, &ids).await?;
            return Ok(Matrix(Response::new()));
        }
        PusherAction::Post(post) => post,
        _ => return Err(ApiError::invalid_param(KINDS)),
    };
    match &post.pusher.kind {
        PusherKind::Http(data) => {
            let read = gateways.read(&data.url);
            read.map_err(|error| ApiError::invalid_param(format_args!("data.url: {error}")))?;
        }
        PusherKind::Email(_) => {
            check_address(&accounts, caller.user, &post.pusher.ids).await?;
            fold(&mut post.pusher.ids);
        }
        _ => return Err(ApiError::invalid_param(KINDS)),
    }
    let session = (caller.user, caller.own_device()?, caller.session);
    pushers.set(session, &post.pusher, post.append).await?;
    Ok(Matrix(Response::new()))
}

/// Whether mails may be sent to the address that is the push key.
async fn check_address(accounts: &Accounts, user: i64, ids: &PusherIds) -> Result<(), ApiError> {
    if !accounts.sends_mail() {
        let sentence = "kind: this server sends no mail";
        return Err(ApiError::invalid_param(sentence));
    }
    if ids.app_id != EMAIL_APP {
        let sentence = "app_id: that of a pusher that sends mails is m.email";
        return Err(ApiError::invalid_param(sentence));
    }
    let address = MailAddress::parse(&ids.pushkey);
    let address =
        address.map_err(|error| ApiError::invalid_param(format_args!("pushkey: {error}")))?;
    let is_theirs = accounts.has_email(user, &address).await;
    if !is_theirs.map_err(ApiError::internal)? {
        let sentence = "pushkey: this address is none of your account";
        return Err(ApiError::invalid_param(sentence));
    }
    Ok(())
}

/// Writes an address in the one form in which it is known, so that it names one pusher.
fn fold(ids: &mut PusherIds) {
    if ids.app_id == EMAIL_APP
        && let Ok(address) = MailAddress::parse(&ids.pushkey)
    {
        ids.pushkey = address.as_str().to_owned();
    }
}
