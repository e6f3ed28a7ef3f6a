//! Aliases of rooms.

pub(crate) mod delete_alias;
pub(crate) mod get_alias;
pub(crate) mod room_aliases;
pub(crate) mod set_alias;

use appservices::Appservices;
use ruma::RoomAliasId;

use crate::{caller::Caller, error::ApiError};

/// Refuses an alias that is an application service's alone, and to a service one that it has not
/// claimed ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions
pub(crate) fn check_claims(
    appservices: &Appservices,
    caller: &Caller,
    alias: &RoomAliasId,
) -> Result<(), ApiError> {
    let owner = appservices.owner_of_alias(alias);
    match &caller.appservice {
        Some(appservice) if !appservice.claims_alias(alias) => Err(ApiError::exclusive(
            "this alias is in no namespace of the application service",
        )),
        by if owner.is_some_and(|owner| Some(owner) != by.as_ref()) => Err(ApiError::exclusive(
            "this alias belongs to an application service",
        )),
        _ => Ok(()),
    }
}
