//! `GET /_matrix/client/v3/capabilities` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities

use std::{collections::BTreeMap, sync::Arc};

use accounts::Accounts;
use axum::{Json, extract::State};
use ruma::{RoomVersionId, api::client::discovery::get_capabilities};
use serde::Serialize;
use tracing::instrument;

use crate::{Settings, caller::Caller, matrix::Matrix};

/// The room versions that this server makes and joins.
const ROOM_VERSIONS: [RoomVersionId; 12] = [
    RoomVersionId::V1,
    RoomVersionId::V2,
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// The answer, written out: ruma's type leaves out what the specification takes for granted, and
/// a client should not have to.
#[derive(Serialize)]
pub(crate) struct Answer {
    capabilities: Capabilities,
}

#[derive(Serialize)]
struct Capabilities {
    #[serde(rename = "m.room_versions")]
    room_versions: RoomVersions,
    #[serde(rename = "m.change_password")]
    change_password: Enabled,
    #[serde(rename = "m.set_displayname")]
    set_displayname: Enabled,
    #[serde(rename = "m.set_avatar_url")]
    set_avatar_url: Enabled,
    #[serde(rename = "m.profile_fields")]
    profile_fields: Enabled,
    #[serde(rename = "m.3pid_changes")]
    thirdparty_id_changes: Enabled,
    #[serde(rename = "m.get_login_token")]
    get_login_token: Enabled,
    #[serde(
        rename = "m.account_moderation",
        skip_serializing_if = "Option::is_none"
    )]
    account_moderation: Option<AccountModeration>,
}

/// What administrators may do to people, and nobody else.
#[derive(Serialize)]
struct AccountModeration {
    suspend: bool,
    lock: bool,
}

#[derive(Serialize)]
struct RoomVersions {
    default: RoomVersionId,
    available: BTreeMap<RoomVersionId, &'static str>,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

/// Tells what the caller may do here.
#[instrument(name = "client.capabilities", skip_all)]
pub(crate) async fn capabilities(
    State(settings): State<Arc<Settings>>,
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(_): Matrix<get_capabilities::v3::Request>,
) -> Json<Answer> {
    let yes = || Enabled { enabled: true };
    let available = ROOM_VERSIONS.into_iter().map(|version| (version, "stable"));
    Json(Answer {
        capabilities: Capabilities {
            room_versions: RoomVersions {
                default: settings.default_room_version.clone(),
                available: available.collect(),
            },
            change_password: yes(),
            set_displayname: yes(),
            set_avatar_url: yes(),
            profile_fields: yes(),
            // An address is added by mail, and by nothing else.
            thirdparty_id_changes: Enabled {
                enabled: accounts.sends_mail(),
            },
            get_login_token: yes(),
            account_moderation: caller.is_admin.then_some(AccountModeration {
                suspend: true,
                lock: true,
            }),
        },
    })
}
