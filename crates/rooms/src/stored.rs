//! Events as they are stored: columns in clear beside the sealed PDU.

use std::sync::Arc;

use model::event::Pdu;
use ruma::{OwnedEventId, room_version_rules::RoomVersionRules};
use seal::{Keyring, Place};
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
    /// The device that sent it and its transaction id, for the echo to that device.
    pub origin: Option<EventOrigin>,
}

/// Which device sent an event, and how it called the request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventOrigin {
    /// The device.
    #[serde(rename = "d")]
    pub device_id: String,
    /// Its transaction id.
    #[serde(rename = "t")]
    pub txn_id: String,
}

/// Where an event's PDU is sealed.
pub(crate) fn pdu_place(event_id: &str) -> Place<'_> {
    Place {
        table: "events",
        column: "sealed",
        id: event_id,
    }
}

/// Where an event's origin is sealed.
pub(crate) fn origin_place(event_id: &str) -> Place<'_> {
    Place {
        table: "events",
        column: "sealed_origin",
        id: event_id,
    }
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
        parse(plain, event_id, rules)
    });
    parsed.collect()
}

/// Opens rows that begin with `event_id, sealed, pos, ord, redacted_by, sealed_origin`.
pub(crate) async fn open_events(
    reader: &Reader,
    keyring: &Keyring,
    rules: &RoomVersionRules,
    rows: &[Row],
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut sealed = Vec::with_capacity(rows.len() * 2);
    for row in rows {
        sealed.push(row.bytes(1)?);
        sealed.extend(row.opt_bytes(5)?);
    }
    let keys = keyring.keys_of(reader, sealed).await?;
    let open = |row: &Row| {
        let event_id = event_id_at(row, 0)?;
        let plain = keys.open(pdu_place(event_id.as_str()), row.bytes(1)?)?;
        let origin = row.opt_bytes(5)?.map(|sealed| {
            let plain = keys.open(origin_place(event_id.as_str()), sealed)?;
            serde_json::from_slice(&plain)
                .map_err(|error| StoreError::Damaged(format!("events.sealed_origin: {error}")))
        });
        Ok(StoredEvent {
            origin: origin.transpose()?,
            pdu: Arc::new(parse(plain, event_id, rules)?),
            pos: Pos::new(row.int(2)?),
            ord: row.int(3)?,
            redacted_by: row
                .opt_text(4)?
                .and_then(|id| OwnedEventId::try_from(id).ok()),
        })
    };
    rows.iter().map(open).collect()
}

fn parse(
    plain: Vec<u8>,
    event_id: OwnedEventId,
    rules: &RoomVersionRules,
) -> Result<Pdu, StoreError> {
    let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged(format!("events: {error}"));
    let json = String::from_utf8(plain).map_err(|error| damaged(&error))?;
    Pdu::from_stored(json, event_id, rules).map_err(|error| damaged(&error))
}

/// An event id in a row.
pub(crate) fn event_id_at(row: &Row, index: usize) -> Result<OwnedEventId, StoreError> {
    let text = row.text(index)?;
    text.try_into()
        .map_err(|_| StoreError::Damaged(format!("not an event id: {text}")))
}
