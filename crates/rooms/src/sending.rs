//! Sending: messages, state, redactions, receipts.

use model::{event::EventDraft, room_state::StateView, time::Timestamp};
use ruma::{
    CanonicalJsonObject, EventId, OwnedEventId, OwnedRoomAliasId, RoomId, UserId,
    events::TimelineEventType,
};
use store::{Intent, Log, Pos};

use crate::{
    NewEvent, NewReceipt, Room, Rooms, RoomsChange, RoomsError, RoomsOutcome, RoomsRefusal,
    Transaction, create::size_of,
};

const CANONICAL_ALIAS: &str = "m.room.canonical_alias";

/// What is said of a message beside what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendRequest {
    /// The client's name for the request.
    pub transaction: Option<Transaction>,
    /// When it is to have been sent, if not now.
    pub at: Option<Timestamp>,
}

const RELATION_TYPE: &str =
    "SELECT relation_type FROM events WHERE event_id = $1 AND room = $2 AND rejected = 0";

impl Rooms {
    /// Sends a message event.
    pub async fn send(
        &self,
        log: &Log,
        room_id: &RoomId,
        sender: &UserId,
        kind: TimelineEventType,
        content: CanonicalJsonObject,
        request: SendRequest,
    ) -> Result<OwnedEventId, RoomsError> {
        if kind.to_string().is_empty() {
            return Err(RoomsRefusal::Invalid("an event has a type".to_owned()).into());
        }
        let mut draft = self.draft(room_id, sender, kind, None, content);
        draft.origin_server_ts = request.at.unwrap_or(draft.origin_server_ts);
        self.append(log, draft, request.transaction).await
    }

    /// Sets a piece of a room's state, as of now or of another time.
    pub async fn set_state(
        &self,
        log: &Log,
        room_id: &RoomId,
        sender: &UserId,
        (kind, state_key): (TimelineEventType, &str),
        content: CanonicalJsonObject,
        at: Option<Timestamp>,
    ) -> Result<OwnedEventId, RoomsError> {
        if kind == TimelineEventType::RoomCanonicalAlias {
            self.check_aliases(room_id, sender, &content).await?;
        }
        let guest_access = kind == TimelineEventType::RoomGuestAccess && state_key.is_empty();
        let mut draft = self.draft(room_id, sender, kind, Some(state_key.to_owned()), content);
        draft.origin_server_ts = at.unwrap_or(draft.origin_server_ts);
        match guest_access {
            true => self.set_guest_access(log, draft).await,
            false => self.append(log, draft, None).await,
        }
    }

    /// Takes an event's content away.
    pub async fn redact(
        &self,
        log: &Log,
        room_id: &RoomId,
        sender: &UserId,
        target: &EventId,
        reason: Option<&str>,
        transaction: Option<Transaction>,
    ) -> Result<OwnedEventId, RoomsError> {
        let mut content = CanonicalJsonObject::new();
        if let Some(reason) = reason {
            content.insert("reason".to_owned(), reason.into());
        }
        let kind = TimelineEventType::RoomRedaction;
        let mut draft = self.draft(room_id, sender, kind, None, content);
        draft.redacts = Some(target.to_owned());
        self.append(log, draft, transaction).await
    }

    /// Notes that a user has read up to an event.
    pub async fn read_up_to(&self, log: &Log, receipt: NewReceipt) -> Result<Pos, RoomsError> {
        let room = self.room(&receipt.room_id).await?;
        if !receipt.thread.is_empty() && room.state.is_joined(&receipt.user_id) {
            let snapshot = self.snapshot().await?;
            let (event, thread) = (&receipt.event_id, &receipt.thread);
            if !self.is_in_thread(&snapshot, &room, event, thread).await? {
                return Err(RoomsRefusal::NotInThread.into());
            }
        }
        let change = RoomsChange::Receipt(receipt);
        Ok(self.commit(log, Intent::new(), change).await?.1)
    }

    async fn append(
        &self,
        log: &Log,
        draft: EventDraft,
        transaction: Option<Transaction>,
    ) -> Result<OwnedEventId, RoomsError> {
        let event = self.new_event(draft, transaction).await?;
        let change = RoomsChange::Event(Box::new(event));
        match self.commit(log, Intent::new(), change).await?.0 {
            RoomsOutcome::Event { event_id, .. } => Ok(event_id),
            RoomsOutcome::Done | RoomsOutcome::Scheduled(_) => Err(RoomsRefusal::Invalid(
                "an event was answered as something else".to_owned(),
            )
            .into()),
        }
    }

    /// Makes what is queued of a draft, after the checks for which there is no time under the lock.
    pub(crate) async fn new_event(
        &self,
        draft: EventDraft,
        transaction: Option<Transaction>,
    ) -> Result<NewEvent, RoomsError> {
        let room_id = draft.room_id.clone();
        let room_id = room_id.ok_or_else(|| RoomsRefusal::Invalid("no room".to_owned()))?;
        // Before it is queued: a name that is no room's must not be interned.
        let room = self.room(&room_id).await?;
        // Also here, where there is time: under the log's lock there is none.
        let transaction = transaction.map(|transaction| {
            let hash = self.transaction_hash(&draft, &transaction);
            (transaction, hash)
        });
        let relation = draft.relation();
        if let Some(relation) = &relation
            && relation.rel_type == "m.thread"
        {
            self.check_thread_root(&room, &draft.sender, &relation.event_id)
                .await?;
        }
        let annotation = relation.and_then(|relation| {
            let key = relation
                .key
                .filter(|_| relation.rel_type == "m.annotation")?;
            Some(self.annotation_hash(&draft, &relation.event_id, &key))
        });
        let size_bytes = size_of(&draft.content);
        Ok(NewEvent {
            room_id,
            version: None,
            draft,
            transaction,
            annotation,
            size_bytes,
            by_membership: false,
            for_good: false,
            delay_id: None,
        })
    }

    /// Refuses a thread that would begin at an event which itself relates to another.
    async fn check_thread_root(
        &self,
        room: &Room,
        sender: &UserId,
        root: &EventId,
    ) -> Result<(), RoomsError> {
        // Who is not in the room is told so, and nothing of its events.
        if !room.state.is_joined(sender) {
            return Ok(());
        }
        let snapshot = self.snapshot().await?;
        let params = [root.as_str().into(), room.room.into()];
        let row = snapshot.query_opt(RELATION_TYPE, &params).await?;
        match row {
            Some(row) if row.opt_text(0)?.is_some() => Err(RoomsRefusal::NoThreadRoot.into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn draft(
        &self,
        room_id: &RoomId,
        sender: &UserId,
        event_type: TimelineEventType,
        state_key: Option<String>,
        content: CanonicalJsonObject,
    ) -> EventDraft {
        EventDraft {
            event_type: event_type.to_string(),
            state_key,
            content,
            sender: sender.to_owned(),
            origin_server_ts: self.clock().now(),
            redacts: None,
            room_id: Some(room_id.to_owned()),
        }
    }

    /// Every alias that a canonical alias event adds must point at the room; one that stood there
    /// before may have gone since, and does not stand in the way of other changes.
    pub(crate) async fn check_aliases(
        &self,
        room_id: &RoomId,
        sender: &UserId,
        content: &CanonicalJsonObject,
    ) -> Result<(), RoomsError> {
        let room = self.room(room_id).await?;
        // Where aliases point is told to those who may name them; others are refused anyway.
        if !room.state.may_set_state(sender, CANONICAL_ALIAS) {
            return Ok(());
        }
        let current = room.state.get(CANONICAL_ALIAS, "");
        let current: CanonicalJsonObject = current
            .and_then(|event| event.content_as().ok())
            .unwrap_or_default();
        let known: Vec<&str> = aliases_in(&current).collect();
        for alias in aliases_in(content).filter(|alias| !known.contains(alias)) {
            let refusal = || RoomsRefusal::BadAlias(alias.to_owned());
            let alias = OwnedRoomAliasId::try_from(alias)
                .map_err(|_| RoomsRefusal::Invalid(format!("{alias} is not a room alias")))?;
            match self.resolve_alias(&alias).await {
                Ok(target) if target == room_id => {}
                Ok(_) | Err(RoomsError::Refused(_)) => return Err(refusal().into()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The aliases that the content of an `m.room.canonical_alias` event names.
pub(crate) fn aliases_in(content: &CanonicalJsonObject) -> impl Iterator<Item = &str> {
    let main = content.get("alias").into_iter();
    let others = content
        .get("alt_aliases")
        .and_then(|aliases| aliases.as_array());
    main.chain(others.into_iter().flatten())
        .filter_map(|alias| alias.as_str())
        .filter(|alias| !alias.is_empty())
}
