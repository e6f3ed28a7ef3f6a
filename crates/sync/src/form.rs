//! Events in the form that a client's filter asks for.

use model::{client_form::federation_text, event::Pdu};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{render::raw, response::ClientEvent, rooms_part::RoomReader};

/// What is told beside an event.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    unsigned: Option<&'a RawValue>,
}

impl RoomReader<'_> {
    /// An event as servers exchange it, or its wanted parts; for most clients it stays as it is.
    ///
    /// Events within what is told beside it stay in the form that clients see.
    pub(crate) fn formed(&self, pdu: &Pdu, told: ClientEvent) -> ClientEvent {
        if !self.filter.reshapes() {
            return told;
        }
        let mut text = told.get().to_owned();
        if self.filter.federation_format {
            let beside = serde_json::from_str::<Told<'_>>(told.get());
            let unsigned = beside.ok().and_then(|beside| beside.unsigned);
            text = federation_text(pdu, unsigned.map(RawValue::get));
        }
        if let Some(fields) = &self.filter.event_fields {
            text = fields.select(&text);
        }
        raw(text)
    }
}
