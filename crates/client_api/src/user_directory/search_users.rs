//! `POST /_matrix/client/v3/user_directory/search` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3user_directorysearch

use axum::extract::State;
use people::Directory;
use ruma::api::client::user_directory::search_users::v3::{Request, Response, User};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// The most people of one answer.
const MOST: usize = 100;

/// Finds people by name, whatever the case, the accents and the width of its letters.
///
/// A name is folded in the same way whatever the language, so `Accept-Language` changes nothing.
#[instrument(name = "client.search_users", skip_all)]
pub(crate) async fn search_users(
    State(directory): State<Directory>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let limit = usize::try_from(req.limit).unwrap_or(MOST).min(MOST);
    let found = directory
        .search(caller.user, &req.search_term, limit)
        .await
        .map_err(ApiError::internal)?;
    let results = found.people.iter().map(|person| {
        let mut user = User::new(person.user_id.clone());
        user.display_name.clone_from(&person.display_name);
        user.avatar_url.clone_from(&person.avatar_url);
        user
    });
    Ok(Matrix(Response::new(results.collect(), found.limited)))
}
