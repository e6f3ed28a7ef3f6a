//! `GET /_matrix/client/v3/presence/{userId}/status` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3presenceuseridstatus

use std::sync::Arc;

use accounts::Accounts;
use axum::extract::State;
use model::time::Clock;
use rooms::Rooms;
use ruma::{
    api::client::presence::get_presence::v3::{Request, Response},
    presence::PresenceState,
};
use sync::{Presence, Sync};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells whether somebody is there, to themselves and to those who share a room with them.
///
/// Who does not exist is answered like who shares nothing: who has an account is not told.
#[instrument(name = "client.get_presence", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn get_presence(
    State(sync): State<Sync>,
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    if !sync.presence_enabled() {
        return Err(ApiError::not_found(
            "this server does not tell who is there",
        ));
    }
    let unrelated = || ApiError::forbidden("you share no room with this user");
    let account = accounts.account(&req.user_id).await;
    let account = account.map_err(ApiError::internal)?.ok_or_else(unrelated)?;
    if account.user != caller.user {
        let snapshot = rooms.snapshot().await.map_err(ApiError::internal)?;
        let shares = rooms
            .share_a_room(&snapshot, caller.user, account.user)
            .await;
        if !shares.map_err(ApiError::internal)? {
            return Err(unrelated());
        }
    }
    let now = clock.now();
    let Some(presence) = sync.presence(account.user) else {
        return Ok(Matrix(Response::new(PresenceState::Offline)));
    };
    let Presence {
        state,
        status,
        active_at,
    } = presence;
    let mut response = Response::new(state.as_str().into());
    response.currently_active = Some(response.presence == PresenceState::Online);
    response.last_active_ago = Some(now.since(active_at));
    response.status_msg = status;
    Ok(Matrix(response))
}
