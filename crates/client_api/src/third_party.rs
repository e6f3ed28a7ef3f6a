//! Other networks, as the application services that bridge them tell of them.

pub(crate) mod get_location_for_protocol;
pub(crate) mod get_location_for_room_alias;
pub(crate) mod get_protocol;
pub(crate) mod get_protocols;
pub(crate) mod get_user_for_protocol;
pub(crate) mod get_user_for_user_id;

use std::collections::BTreeMap;

use bridging::Bridging;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{caller::Caller, error::ApiError};

/// What can be read of what services told; what is of another shape is left out.
fn readable<T: DeserializeOwned>(told: impl IntoIterator<Item = Value>) -> Vec<T> {
    let read = told.into_iter().map(serde_json::from_value);
    read.filter_map(Result::ok).collect()
}

/// Refuses a protocol that no service speaks.
fn check_spoken(bridging: &Bridging, protocol: &str) -> Result<(), ApiError> {
    match bridging.speaks(protocol) {
        true => Ok(()),
        false => Err(ApiError::not_found("no such protocol is spoken here")),
    }
}

/// What is asked, without what tells who asks.
fn wanted(caller: &Caller, mut fields: BTreeMap<String, String>) -> BTreeMap<String, String> {
    fields.remove("access_token");
    if caller.appservice.is_some() {
        for name in ["user_id", "device_id", "org.matrix.msc3202.device_id"] {
            fields.remove(name);
        }
    }
    fields
}
