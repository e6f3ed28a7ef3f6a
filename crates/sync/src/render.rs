//! Events as one reader sees them: the prepared text, and what is told beside it.

use model::{
    client_form::{ClientFragment, Unsigned, stripped},
    event::Pdu,
    time::Timestamp,
};
use rooms::{EventOrigin, StoredEvent};
use ruma::RoomId;
use serde_json::value::RawValue;

use crate::response::ClientEvent;

/// Who reads, and when.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The reading device, which sees its own transaction ids.
    pub device_id: Option<&'a str>,
    /// The reading user's integer.
    pub user: i64,
    /// The reading user.
    pub user_id: &'a ruma::UserId,
    /// The time that ages are counted to.
    pub now: Timestamp,
}

/// What is told beside an event, beyond its age.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// The reader's membership at the event.
    pub(crate) membership: Option<&'a str>,
    /// The content of the state that it replaced.
    pub(crate) prev_content: Option<&'a RawValue>,
    /// The redaction that took its content away, as a client event.
    pub(crate) redacted_because: Option<&'a RawValue>,
    /// What relates to it.
    pub(crate) relations: Option<&'a RawValue>,
    /// Where the response does not say which room it is of.
    pub(crate) room_id: Option<&'a RoomId>,
}

/// An event of a timeline, in its final text.
pub(crate) fn timeline_event(
    event: &StoredEvent,
    reader: Reader<'_>,
    beside: Beside<'_>,
) -> ClientEvent {
    let own = event.origin.as_ref();
    let (transaction_id, delay_id) = match own.filter(|_| event.pdu.sender() == reader.user_id) {
        Some(EventOrigin::Request { device_id, txn_id }) => {
            let own_device = reader.device_id == Some(device_id.as_str());
            (own_device.then_some(txn_id.as_str()), None)
        }
        Some(EventOrigin::Delayed { delay_id }) => (None, Some(delay_id.as_str())),
        None => (None, None),
    };
    let unsigned = Unsigned {
        age: Some(age(&event.pdu, reader.now)),
        transaction_id,
        delay_id,
        membership: beside.membership,
        prev_content: beside.prev_content,
        redacted_because: beside.redacted_because,
        relations: beside.relations,
        ..Unsigned::default()
    };
    let text =
        ClientFragment::new(&event.pdu).to_text(beside.room_id, unsigned.to_json().as_deref());
    raw(text)
}

/// A state event, in its final text.
pub fn state_event(pdu: &Pdu, now: Timestamp, room_id: Option<&RoomId>) -> ClientEvent {
    let unsigned = Unsigned {
        age: Some(age(pdu, now)),
        ..Unsigned::default()
    };
    raw(ClientFragment::new(pdu).to_text(room_id, unsigned.to_json().as_deref()))
}

/// A state event for somebody who is not in the room.
pub fn stripped_event(pdu: &Pdu) -> ClientEvent {
    raw(stripped(pdu))
}

fn age(pdu: &Pdu, now: Timestamp) -> i64 {
    let age = now.since(pdu.origin_server_ts()).as_millis();
    i64::try_from(age).unwrap_or(i64::MAX)
}

/// Text that was made as JSON.
pub(crate) fn raw(text: String) -> ClientEvent {
    RawValue::from_string(text).expect("events are spliced as JSON")
}
