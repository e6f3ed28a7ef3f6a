//! `GET /_matrix/client/v3/sync` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync

mod early_state_after;

use std::{sync::Arc, time::Duration};

use accounts::Accounts;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use model::{filter::SyncFilter, json::complaint};
use ruma::{
    api::client::sync::sync_events::v3::{Filter, Request},
    presence::PresenceState,
};
use sync::{StateAt, Sync, SyncError, SyncRequest, SyncToken, Syncer};
use tracing::Instrument;

use self::early_state_after::EarlyStateAfter;
use crate::{caller::Caller, error::ApiError, matrix::Matrix, presence};

/// Tells what changed since a token, or waits until something does.
///
/// A token from before a restore is answered as if there were none: all rooms are sent again.
///
/// Not an `async fn`, whose future would hold the whole request while the client waits.
pub(crate) fn sync(
    State(sync): State<Sync>,
    State(accounts): State<Accounts>,
    early: EarlyStateAfter,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> impl Future<Output = Result<Response, ApiError>> + Send {
    let span = tracing::info_span!("client.sync", user.id = %caller.user_id);
    let asking = Box::new((caller, req, early));
    async move { answer(&sync, &accounts, asking).await }.instrument(span)
}

async fn answer(
    sync: &Sync,
    accounts: &Accounts,
    asking: Box<(Caller, Request, EarlyStateAfter)>,
) -> Result<Response, ApiError> {
    let (caller, req, early) = &*asking;
    let since = req
        .since
        .as_deref()
        .map(str::parse::<SyncToken>)
        .transpose();
    let since = since.map_err(|error| ApiError::invalid_param(format!("since: {error}")))?;
    check_presence(&req.set_presence)?;
    let state_at = match (req.use_state_after, early.is_wanted()?) {
        (true, _) => StateAt::End,
        (false, true) => StateAt::EndByEarlyName,
        (false, false) => StateAt::Start,
    };
    let syncer = syncer(caller)?;
    // Boxed, like all that a waiting sync has behind it.
    let filter = Box::pin(filter_of(accounts, caller.user, req.filter.as_ref())).await?;
    let request = SyncRequest {
        since,
        filter: Arc::new(filter),
        full_state: req.full_state,
        state_at,
        timeout: req.timeout.unwrap_or(Duration::ZERO),
    };
    Box::pin(note_presence(sync, caller.user, &req.set_presence)).await?;
    let answer = sync.sync(syncer, &request).await?;
    Ok(Json(answer).into_response())
}

/// Refuses a state of presence that the specification does not have.
pub(crate) fn check_presence(state: &PresenceState) -> Result<(), ApiError> {
    if presence::is_known(state) {
        return Ok(());
    }
    let sentence = format_args!("set_presence: {state} is unknown");
    Err(ApiError::invalid_param(sentence))
}

/// Who syncs: a device.
pub(crate) fn syncer(caller: &Caller) -> Result<Syncer<'_>, ApiError> {
    let device_id = caller.device_id.as_deref();
    Ok(Syncer {
        user: caller.user,
        user_id: &caller.user_id,
        device_id: device_id.ok_or_else(|| ApiError::forbidden("only a device syncs"))?,
        session: caller.session,
    })
}

impl From<SyncError> for ApiError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::SessionEnded => Self::unknown_token(false),
            SyncError::Locked => Self::user_locked(),
            SyncError::Store(error) => Self::internal(error),
        }
    }
}

/// The filter that the client names or gives.
async fn filter_of(
    accounts: &Accounts,
    user: i64,
    filter: Option<&Filter>,
) -> Result<SyncFilter, ApiError> {
    let bad = |error: &dyn std::fmt::Display| {
        ApiError::invalid_param(format!("filter: {}", complaint(error)))
    };
    match filter {
        None => Ok(SyncFilter::default()),
        Some(Filter::FilterId(id)) => {
            let stored = accounts
                .filter(user, id)
                .await
                .map_err(ApiError::internal)?;
            let stored = stored.ok_or_else(|| bad(&"there is no such filter"))?;
            SyncFilter::parse(stored.get()).map_err(|error| bad(&error))
        }
        Some(Filter::FilterDefinition(definition)) => {
            SyncFilter::compile(definition).map_err(|error| bad(&error))
        }
        Some(_) => Err(bad(&"neither an id nor a filter")),
    }
}

/// Syncing says that somebody is there, unless the client says otherwise.
pub(crate) async fn note_presence(
    sync: &Sync,
    user: i64,
    state: &PresenceState,
) -> Result<(), ApiError> {
    if !sync.presence_enabled() || *state == PresenceState::Offline {
        return Ok(());
    }
    let status = sync.presence(user).and_then(|presence| presence.status);
    sync.set_presence(user, state.as_str(), status)
        .await
        .map_err(ApiError::internal)?;
    Ok(())
}
