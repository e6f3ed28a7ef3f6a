//! Which rooms are encrypted, and what an encrypted deployment refuses.

use model::event::EventDraft;

use crate::RoomsRefusal;

/// What the organisation asks of rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptionPolicy {
    /// Clients decide.
    Off,
    /// A new room that is not public is encrypted.
    Private,
    /// Every room but a space is encrypted, and nothing readable is sent anywhere.
    Required,
}

/// Types that stay readable where everything else must be encrypted: reactions, redactions,
/// and what sets up calls.
const READABLE: &[&str] = &[
    "m.room.encrypted",
    "m.reaction",
    "m.room.redaction",
    "m.call.invite",
    "m.call.candidates",
    "m.call.answer",
    "m.call.hangup",
    "m.call.reject",
    "m.call.select_answer",
    "m.call.negotiate",
    "m.call.sdp_stream_metadata_changed",
    "org.matrix.msc3401.call.member",
    "m.call.member",
    "m.rtc.notification",
    "org.matrix.msc4075.rtc.notification",
];

/// Refuses a readable event where the policy wants encryption.
pub(crate) fn check(policy: EncryptionPolicy, draft: &EventDraft) -> Result<(), RoomsRefusal> {
    let kind = draft.event_type.as_str();
    if policy != EncryptionPolicy::Off && kind == "m.room.encryption" {
        return check_algorithm(draft);
    }
    if policy != EncryptionPolicy::Required || draft.state_key.is_some() {
        return Ok(());
    }
    if READABLE.contains(&kind) {
        return Ok(());
    }
    Err(RoomsRefusal::EncryptionRequired(format!(
        "this server accepts only end-to-end encrypted messages, and {kind} is not encrypted"
    )))
}

/// The one algorithm that encrypts rooms.
const MEGOLM: &str = "m.megolm.v1.aes-sha2";

/// Without an algorithm that clients know, they would send in clear.
fn check_algorithm(draft: &EventDraft) -> Result<(), RoomsRefusal> {
    let algorithm = draft.content.get("algorithm");
    if algorithm.and_then(|algorithm| algorithm.as_str()) == Some(MEGOLM) {
        return Ok(());
    }
    Err(RoomsRefusal::EncryptionRequired(format!(
        "on this server the algorithm of m.room.encryption is {MEGOLM}"
    )))
}

/// A room without encryption where the policy wants it.
pub(crate) fn refuse_unencrypted_room() -> RoomsRefusal {
    RoomsRefusal::EncryptionRequired(
        "this server has only end-to-end encrypted rooms: add m.room.encryption to initial_state"
            .to_owned(),
    )
}
