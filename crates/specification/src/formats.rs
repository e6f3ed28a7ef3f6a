//! The formats of texts that the specification names beside those of JSON Schema.

use jsonschema::ValidationOptions;
use ruma::{EventId, MxcUri, OwnedServerName, RoomAliasId, RoomId, UserId};

/// The options, with the formats known and judged.
pub(crate) fn known(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .with_format("mx-event-id", |text: &str| EventId::parse(text).is_ok())
        .with_format("mx-mxc-uri", is_mxc_uri)
        .with_format("mx-room-alias", |text: &str| {
            RoomAliasId::parse(text).is_ok()
        })
        .with_format("mx-room-id", |text: &str| RoomId::parse(text).is_ok())
        .with_format("mx-server-name", |text: &str| {
            OwnedServerName::try_from(text).is_ok()
        })
        .with_format("mx-unpadded-base64", |text: &str| is_base64(text, b"+/"))
        .with_format("mx-urlsafe-unpadded-base64", |text: &str| {
            is_base64(text, b"-_")
        })
        .with_format("mx-user-id", |text: &str| UserId::parse(text).is_ok())
}

/// An empty text takes a file away, where one may stand.
fn is_mxc_uri(text: &str) -> bool {
    text.is_empty() || <&MxcUri>::from(text).is_valid()
}

fn is_base64(text: &str, beside: &[u8]) -> bool {
    let mut bytes = text.bytes();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || beside.contains(&byte))
}
