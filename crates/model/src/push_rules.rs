//! Push rules: what one person's rules make of an event.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    future::{Future, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use ruma::{
    EventId, OwnedEventId, RoomId, UInt, UserId,
    events::room::power_levels::RoomPowerLevels,
    push::{
        Action, AnyPushRuleRef, FlattenedJson, PushConditionPowerLevelsCtx, PushConditionRoomCtx,
        Ruleset,
    },
    serde::Raw,
};
use serde_json::value::RawValue;

use crate::{client_form::ClientFragment, event::Pdu};

/// An event prepared for rules: flattened once, however many people's rules look at it.
#[derive(Debug, Clone)]
pub struct PushEvent(FlattenedJson);

/// The reader and their room, as conditions ask for them: made once, used for many events.
#[derive(Debug, Clone)]
pub struct PushReader(PushConditionRoomCtx);

/// What the first rule that matched wants done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushOutcome {
    /// Whether the event notifies: it counts as unread, and goes to the pushers.
    pub notify: bool,
    /// Whether it is to stand out.
    pub highlight: bool,
    /// The sound to play.
    pub sound: Option<String>,
    /// The rule that matched.
    pub rule_id: Option<String>,
}

impl PushEvent {
    /// Prepares `event`, in the form clients see, as the rules are written against that.
    pub fn new(event: &Pdu) -> Self {
        let text = ClientFragment::new(event).to_text(Some(event.room_id()), None);
        let raw = RawValue::from_string(text).expect("a spliced event is JSON");
        Self(FlattenedJson::from_raw(&Raw::<()>::from_json(raw)))
    }
}

impl PushReader {
    /// Describes the reader `user`, who is called `display_name` in a room of `joined_count` people.
    pub fn new(
        user: &UserId,
        display_name: &str,
        room: &RoomId,
        joined_count: usize,
        power_levels: &RoomPowerLevels,
    ) -> Self {
        let joined_count = UInt::try_from(joined_count).unwrap_or(UInt::MAX);
        let levels = PushConditionPowerLevelsCtx::new(
            power_levels.users.clone(),
            power_levels.users_default,
            power_levels.notifications.clone(),
            power_levels.rules.clone(),
        );
        let context = PushConditionRoomCtx::new(
            room.to_owned(),
            joined_count,
            user.to_owned(),
            display_name.to_owned(),
        );
        Self(context.with_power_levels(levels))
    }

    /// Adds which threads the reader follows, of those that the events are in.
    ///
    /// Without it the rules about threads ([MSC4306]) match nothing, so that who never said which
    /// threads they follow hears of all of them.
    ///
    /// [MSC4306]: https://github.com/matrix-org/matrix-spec-proposals/pull/4306
    #[must_use]
    pub fn following(self, threads: HashSet<OwnedEventId>) -> Self {
        let context = self.0;
        Self(
            context.with_has_thread_subscription_fn(move |root: &EventId| {
                Box::pin(ready(threads.contains(root)))
            }),
        )
    }
}

/// Finds the first of `rules` that matches; none does of one's own events.
pub fn matching<'r>(
    rules: &'r Ruleset,
    event: &PushEvent,
    reader: &PushReader,
) -> Option<AnyPushRuleRef<'r>> {
    rules
        .iter()
        .find(|rule| at_once(rule.applies(&event.0, &reader.0)) == Some(true))
}

/// Finds the first of `rules` that matches, and what it wants done.
///
/// One's own events match nothing.
pub fn evaluate(rules: &Ruleset, event: &PushEvent, reader: &PushReader) -> PushOutcome {
    let Some(rule) = matching(rules, event, reader) else {
        return PushOutcome::default();
    };
    PushOutcome {
        notify: rule.triggers_notification(),
        highlight: rule.triggers_highlight(),
        sound: rule
            .actions()
            .iter()
            .find_map(Action::sound)
            .map(|sound| sound.to_string()),
        rule_id: Some(rule.rule_id().to_owned()),
    }
}

// `applies` is asynchronous for a condition that may ask a database, whether a thread is followed;
// here that is known before, so the answer is there at the first poll.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
