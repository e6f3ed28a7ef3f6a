//! Events as they are stored: columns in clear beside the sealed PDU.

use std::sync::Arc;

use model::event::Pdu;
use ruma::{OwnedEventId, room_version_rules::RoomVersionRules};
use seal::{Keyring, Place};
use serde::de::DeserializeOwned;
use store::{Pos, Reader, Row, StoreError};

/// An event of a room's timeline, with what the log and the store know of it.
#[derive(Clone)]
pub struct StoredEvent {
    /// The event.
    pub pdu: Arc<Pdu>,
    /// When this deployment learned of it.
    pub pos: Pos,
    /// Its place in the room's timeline.
    pub ord: i64,
    /// The redaction that took its content away.
    pub redacted_by: Option<OwnedEventId>,
    /// What asked for it, for the echo to who did.
    pub origin: Option<EventOrigin>,
}

/// What asked for an event.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum EventOrigin {
    /// A device's request.
    Request {
        /// The device.
        #[serde(rename = "d")]
        device_id: String,
        /// Its transaction id.
        #[serde(rename = "t")]
        txn_id: String,
    },
    /// It was scheduled, and waited.
    Delayed {
        /// Its delay id.
        #[serde(rename = "l")]
        delay_id: String,
    },
}

/// Where an event is sealed.
pub(crate) fn pdu_place(event_id: &str) -> Place<'_> {
    Place {
        table: "events",
        column: "sealed",
        id: event_id,
    }
}

/// What is sealed of an event: its PDU and, behind a line break, which canonical JSON has none of,
/// its origin.
pub(crate) fn sealed_text(pdu: &Pdu, origin: Option<&EventOrigin>) -> Vec<u8> {
    let mut text = pdu.json().as_bytes().to_vec();
    if let Some(origin) = origin {
        text.push(b'\n');
        serde_json::to_writer(&mut text, origin).expect("strings always serialise");
    }
    text
}

/// The PDU and the origin in what was sealed.
fn read_sealed_text(
    mut plain: Vec<u8>,
    event_id: OwnedEventId,
    rules: &RoomVersionRules,
) -> Result<(Pdu, Option<EventOrigin>), StoreError> {
    let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged(format!("events: {error}"));
    let mut origin = None;
    if let Some(end) = plain.iter().position(|byte| *byte == b'\n') {
        let read = serde_json::from_slice(&plain[end + 1..]);
        origin = Some(read.map_err(|error| damaged(&error))?);
        plain.truncate(end);
    }
    let json = String::from_utf8(plain).map_err(|error| damaged(&error))?;
    let pdu = Pdu::from_stored(json, event_id, rules).map_err(|error| damaged(&error))?;
    Ok((pdu, origin))
}

/// An event's id and its sealed PDU.
pub(crate) struct SealedPdu {
    event_id: OwnedEventId,
    sealed: Vec<u8>,
}

impl SealedPdu {
    /// Reads a row that begins with `event_id, sealed`.
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            event_id: event_id_at(row, 0)?,
            sealed: row.bytes(1)?.to_vec(),
        })
    }
}

/// Opens and parses PDUs, in the order given.
pub(crate) async fn open_pdus(
    reader: &Reader,
    keyring: &Keyring,
    rules: &RoomVersionRules,
    sealed: Vec<SealedPdu>,
) -> Result<Vec<Pdu>, StoreError> {
    let keys = keyring
        .keys_of(reader, sealed.iter().map(|pdu| pdu.sealed.as_slice()))
        .await?;
    let parsed = sealed.into_iter().map(|SealedPdu { event_id, sealed }| {
        let plain = keys.open(pdu_place(event_id.as_str()), &sealed)?;
        Ok(read_sealed_text(plain, event_id, rules)?.0)
    });
    parsed.collect()
}

/// Opens and parses the PDUs of rows that begin with `event_id, sealed`, in the order given.
pub(crate) async fn open_rows(
    reader: &Reader,
    keyring: &Keyring,
    rules: &RoomVersionRules,
    rows: &[Row],
) -> Result<Vec<Arc<Pdu>>, StoreError> {
    let sealed = rows.iter().map(SealedPdu::from_row);
    let sealed = sealed.collect::<Result<_, _>>()?;
    let pdus = open_pdus(reader, keyring, rules, sealed).await?;
    Ok(pdus.into_iter().map(Arc::new).collect())
}

/// Opens rows that begin with `event_id, sealed, pos, ord, redacted_by`.
pub(crate) async fn open_events(
    reader: &Reader,
    keyring: &Keyring,
    rules: &RoomVersionRules,
    rows: &[Row],
) -> Result<Vec<StoredEvent>, StoreError> {
    let sealed = rows.iter().map(|row| row.bytes(1));
    let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
    let keys = keyring.keys_of(reader, sealed).await?;
    let open = |row: &Row| {
        let event_id = event_id_at(row, 0)?;
        let plain = keys.open(pdu_place(event_id.as_str()), row.bytes(1)?)?;
        let (pdu, origin) = read_sealed_text(plain, event_id, rules)?;
        Ok(StoredEvent {
            origin,
            pdu: Arc::new(pdu),
            pos: Pos::new(row.int(2)?),
            ord: row.int(3)?,
            redacted_by: row
                .opt_text(4)?
                .and_then(|id| OwnedEventId::try_from(id).ok()),
        })
    };
    rows.iter().map(open).collect()
}

/// The contents of state in rows that begin with `event_id, sealed`, as far as `T` knows them;
/// `None` for one of another shape. No rules of a room are needed for so little.
pub(crate) async fn open_contents<T: DeserializeOwned>(
    reader: &Reader,
    keyring: &Keyring,
    rows: &[Row],
) -> Result<Vec<Option<T>>, StoreError> {
    #[derive(serde::Deserialize)]
    struct Event<T> {
        content: T,
    }
    let sealed = rows.iter().map(|row| row.bytes(1));
    let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
    let keys = keyring.keys_of(reader, sealed).await?;
    let open = |row: &Row| {
        let plain = keys.open(pdu_place(row.text(0)?), row.bytes(1)?)?;
        let pdu = plain.split(|byte| *byte == b'\n').next();
        let event = serde_json::from_slice::<Event<T>>(pdu.unwrap_or_default());
        Ok(event.ok().map(|event| event.content))
    };
    rows.iter().map(open).collect()
}

/// An event id in a row.
pub(crate) fn event_id_at(row: &Row, index: usize) -> Result<OwnedEventId, StoreError> {
    let text = row.text(index)?;
    text.try_into()
        .map_err(|_| StoreError::Damaged(format!("not an event id: {text}")))
}
