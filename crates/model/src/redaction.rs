//! Redaction: what remains of an event when its content is taken away.

use ruma::{
    CanonicalJsonObject, canonical_json::redact_in_place, room_version_rules::RoomVersionRules,
};

use crate::{
    event::{ParseError, Pdu},
    json::canonical_text,
};

/// Takes away what the [room version] does not protect; the id, and the hash behind it, remain.
///
/// Redacting twice gives the same event.
///
/// [room version]: https://spec.matrix.org/v1.19/rooms/
pub fn redact(pdu: &Pdu, rules: &RoomVersionRules) -> Result<Pdu, ParseError> {
    let mut object: CanonicalJsonObject = serde_json::from_str(pdu.json())?;
    redact_in_place(&mut object, &rules.redaction, None)
        .map_err(|_| ParseError::Version("the event has no type"))?;
    Pdu::from_stored(canonical_text(&object), pdu.event_id().to_owned(), rules)
}
