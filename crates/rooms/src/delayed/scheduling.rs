//! Scheduling: an event that waits.

use model::{entropy::random_text, event::MAX_PDU_BYTES, ids::MAX_ID_BYTES};
use store::{Intent, Log};

use super::{DelayHash, DelayedDraft, DelayedText, MAX_DELAY, Schedules};
use crate::{
    Rooms, RoomsChange, RoomsError, RoomsOutcome, RoomsRefusal,
    change::{DelayedStep, NewDelayed},
    create::size_of,
    encryption,
};

/// Six bits each: who knows a delay id may do with the event what its sender may.
const DELAY_ID_LENGTH: usize = 32;

impl Rooms {
    /// Schedules an event, and gives the delay id; again under the same transaction, the same.
    ///
    /// Whether the sender may send it is decided when it is sent. That they are in the room is
    /// asked now too: nobody fills a room from outside.
    pub async fn schedule(&self, log: &Log, draft: DelayedDraft) -> Result<String, RoomsError> {
        self.check_draft(&draft)?;
        let room = self.room(&draft.room_id).await?;
        if !room.state.is_joined(&draft.sender) {
            return Err(RoomsRefusal::Forbidden("you are not in this room".to_owned()).into());
        }
        let delay_id = random_text(self.entropy(), DELAY_ID_LENGTH);
        let hash = self.delay_hash(&delay_id);
        let txn_hash = self.delay_transaction_hash(&draft, &delay_id);
        let text = DelayedText {
            id: delay_id,
            content: draft.content,
            failure: None,
        };
        let new = NewDelayed {
            hash,
            txn_hash,
            room_id: draft.room_id,
            sender: draft.sender,
            kind: draft.kind.to_string(),
            state_key: draft.state_key,
            delay: draft.delay,
            text: text.to_bytes(),
        };
        let mut intent = Intent::new();
        intent.add::<Schedules>(());
        let change = RoomsChange::Delayed(DelayedStep::Schedule(Box::new(new)));
        match self.commit(log, intent, change).await?.0 {
            RoomsOutcome::Scheduled(stands) if stands != hash => {
                let stands = self.delayed_by_hash(&stands).await?;
                let stands = stands.ok_or(RoomsRefusal::NoSuchDelayedEvent)?;
                Ok(stands.delay_id)
            }
            _ => Ok(text.id),
        }
    }

    /// What can be judged of an event before its time has come.
    fn check_draft(&self, draft: &DelayedDraft) -> Result<(), RoomsRefusal> {
        let kind = draft.kind.to_string();
        let invalid = |sentence: &str| Err(RoomsRefusal::Invalid(sentence.to_owned()));
        if draft.delay.is_zero() {
            return invalid("delay: an event is delayed by at least a millisecond");
        }
        if draft.delay > MAX_DELAY {
            return Err(RoomsRefusal::DelayTooLong);
        }
        if kind.is_empty() {
            return invalid("an event has a type");
        }
        if kind.len() > MAX_ID_BYTES {
            return invalid("the type of the event is longer than 255 bytes");
        }
        let state_key = draft.state_key.as_deref().unwrap_or_default();
        if state_key.len() > MAX_ID_BYTES {
            return invalid("the state key of the event is longer than 255 bytes");
        }
        if size_of(&draft.content) > MAX_PDU_BYTES {
            return Err(RoomsRefusal::TooLarge);
        }
        let event = self.draft(
            &draft.room_id,
            &draft.sender,
            draft.kind.clone(),
            draft.state_key.clone(),
            draft.content.clone(),
        );
        encryption::check(self.encryption(), &event)
    }

    pub(crate) fn delay_hash(&self, delay_id: &str) -> DelayHash {
        self.keyring()
            .blind("rooms.delayed_events", delay_id.as_bytes())
    }

    /// The transaction as it is stored. A request without one is never repeated: it counts as the
    /// only one of its delay id.
    fn delay_transaction_hash(&self, draft: &DelayedDraft, delay_id: &str) -> DelayHash {
        let kind = draft.kind.to_string();
        let named = match &draft.transaction {
            Some(transaction) => vec![
                draft.room_id.as_str(),
                draft.sender.as_str(),
                &kind,
                &transaction.device_id,
                &transaction.txn_id,
            ],
            None => vec![delay_id],
        };
        let named = serde_json::to_vec(&named).expect("strings always serialise");
        self.keyring().blind("rooms.delayed_transactions", &named)
    }
}
