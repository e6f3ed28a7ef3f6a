//! What relates to an event, as it is told beside it.

use rooms::{Bundles, History, StoredEvent};
use ruma::{EventId, OwnedEventId, RoomId};
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::{
    render::{Beside, Reader, timeline_event},
    response::ClientEvent,
};

/// What was gathered of a page of events, for one reader.
#[derive(Clone, Copy)]
pub(crate) struct Bundling<'a> {
    /// What was gathered.
    pub(crate) bundles: &'a Bundles,
    /// Who reads.
    pub(crate) reader: Reader<'a>,
    /// What they may see, and where they stood.
    pub(crate) history: &'a History,
    /// Where the response does not say which room it is of.
    pub(crate) room_id: Option<&'a RoomId>,
}

/// [Aggregations], by the kind of relation.
///
/// [Aggregations]: https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events
#[derive(Serialize)]
struct Relations<'a> {
    #[serde(rename = "m.replace", skip_serializing_if = "Option::is_none")]
    replace: Option<ClientEvent>,
    #[serde(rename = "m.thread", skip_serializing_if = "Option::is_none")]
    thread: Option<Thread>,
    #[serde(rename = "m.reference", skip_serializing_if = "Option::is_none")]
    reference: Option<References<'a>>,
}

#[derive(Serialize)]
struct Thread {
    latest_event: ClientEvent,
    count: i64,
    current_user_participated: bool,
}

#[derive(Serialize)]
struct References<'a> {
    chunk: Vec<Reference<'a>>,
}

#[derive(Serialize)]
struct Reference<'a> {
    event_id: &'a OwnedEventId,
}

impl Bundling<'_> {
    /// What is told beside an event of what relates to it, if anything does.
    pub(crate) fn of(&self, event_id: &EventId) -> Option<ClientEvent> {
        let bundle = self.bundles.of(event_id)?;
        let references = &bundle.references;
        let relations = Relations {
            replace: bundle.edit.as_ref().map(|edit| self.child(edit)),
            thread: bundle.thread.as_ref().map(|thread| Thread {
                latest_event: self.child(&thread.latest),
                count: thread.count,
                current_user_participated: thread.participated,
            }),
            reference: (!references.is_empty()).then(|| References {
                chunk: references
                    .iter()
                    .map(|event_id| Reference { event_id })
                    .collect(),
            }),
        };
        Some(to_raw_value(&relations).expect("events are JSON"))
    }

    /// An event that relates to another: it is no state, and was not redacted.
    fn child(&self, event: &StoredEvent) -> ClientEvent {
        let membership = self.history.membership_before(event.ord.saturating_add(1));
        let relations = self.of(event.pdu.event_id());
        let beside = Beside {
            membership: Some(membership.as_str()),
            relations: relations.as_deref(),
            room_id: self.room_id,
            ..Beside::default()
        };
        timeline_event(event, self.reader, beside)
    }
}
