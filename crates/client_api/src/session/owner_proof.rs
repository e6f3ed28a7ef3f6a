//! [`OwnerProof`]: that the caller owns the account, and does not only hold an access token.

use accounts::{Accounts, By, Operation};
use audit::Origin;
use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use ruma::api::client::uiaa::AuthData;

use super::uia;
use crate::{ClientApi, caller::Caller, error::ApiError, origin::CameFrom};

/// What it takes to ask the caller for a proof; a handler takes it before [`Caller`].
pub(crate) struct OwnerProof {
    accounts: Accounts,
    origin: Origin,
}

impl OwnerProof {
    /// Lets pass who has proved to own the account, and tells who they are, for the record of
    /// what they do. Whoever has not is told what is left to prove.
    pub(crate) async fn demand(
        self,
        operation: Operation,
        caller: &Caller,
        auth: Option<&AuthData>,
    ) -> Result<By, ApiError> {
        if let Some(appservice) = &caller.appservice {
            return match operation {
                // What the specification lets services do for all of their users.
                Operation::RemoveDevices | Operation::UploadCrossSigningKeys => {
                    caller.by(self.origin)
                }
                Operation::Deactivate if appservice.owns(&caller.user_id) => caller.by(self.origin),
                _ => Err(ApiError::forbidden(
                    "this is for people, who prove that they own the account: not for an \
                     application service",
                )),
            };
        }
        let session = caller.session()?;
        let by = By::session(&session, self.origin);
        self.accounts
            .prove_owner(operation, &session, uia::answer(auth), &by)
            .await?;
        Ok(by)
    }
}

impl FromRequestParts<ClientApi> for OwnerProof {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &ClientApi) -> Result<Self, ApiError> {
        let Ok(CameFrom(origin)) = CameFrom::from_request_parts(parts, api).await;
        Ok(Self {
            accounts: Accounts::from_ref(api),
            origin,
        })
    }
}
