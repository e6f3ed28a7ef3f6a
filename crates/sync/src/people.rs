//! Who types and who is there: told by clients here, heard from other nodes, ended by time.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bus::{Activity, Heard, Signal, Typing};
use model::time::Timestamp;
use store::StoreError;

use crate::{Presence, Sync, sync::Inner};

/// How often it is looked for people who have stopped without saying so.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long other nodes believe a presence that is not said again.
const PRESENCE_LASTS: Duration = Duration::from_secs(300);

impl Sync {
    /// Whether presence is kept at all.
    pub fn presence_enabled(&self) -> bool {
        self.inner.presence_enabled
    }

    /// What is known of a user's presence.
    pub fn presence(&self, user: i64) -> Option<Presence> {
        self.inner.ephemeral.presence(user, self.inner.clock.now())
    }

    /// Who types in a room now.
    pub fn typing(&self, room: i64) -> Vec<i64> {
        let typing = self
            .inner
            .ephemeral
            .typing(room, None, self.inner.clock.now());
        typing.unwrap_or_default()
    }

    /// Somebody types in a room for a while, or has stopped: tells everybody in the room.
    pub fn set_typing(&self, room: i64, user: i64, for_how_long: Option<Duration>) {
        let inner = &self.inner;
        let now = inner.clock.now();
        inner.note_typing(room, user, for_how_long, now);
        let until = for_how_long.map(|duration| now.plus(duration));
        inner
            .bus
            .publish(Signal::Typing(Typing { room, user, until }));
    }

    /// Somebody is there, or not: tells everybody who shares a room with them.
    pub async fn set_presence(
        &self,
        user: i64,
        state: &str,
        status: Option<String>,
    ) -> Result<(), StoreError> {
        let inner = &self.inner;
        let active_at = inner.clock.now();
        let state = state.to_owned();
        let presence = Presence {
            state,
            status,
            active_at,
        };
        inner.bus.publish(Signal::Presence(bus::Presence {
            user,
            activity: match presence.state.as_str() {
                "online" => Activity::Online,
                "unavailable" => Activity::Unavailable,
                _ => Activity::Offline,
            },
            status: presence.status.clone(),
            last_active_at: presence.active_at,
            until: presence.active_at.plus(PRESENCE_LASTS),
        }));
        inner.note_presence(user, presence).await
    }
}

impl Inner {
    fn note_typing(&self, room: i64, user: i64, length: Option<Duration>, now: Timestamp) {
        if self.ephemeral.set_typing(room, user, length, now) {
            self.wakers.wake_room(room);
        }
    }

    async fn note_presence(&self, user: i64, presence: Presence) -> Result<(), StoreError> {
        if self.ephemeral.set_presence(user, presence) {
            self.wake_acquaintances_of(user).await?;
        }
        Ok(())
    }

    async fn wake_acquaintances_of(&self, user: i64) -> Result<(), StoreError> {
        let snapshot = self.rooms.snapshot().await?;
        let others = self.rooms.sharing_users(&snapshot, user).await?;
        self.wakers.wake_users(others);
        Ok(())
    }

    async fn hear(&self, heard: Heard) -> Result<(), StoreError> {
        let Heard::Signal(envelope) = heard else {
            // Typing and presence run out by themselves; the log does not.
            self.log.poke();
            return Ok(());
        };
        if envelope.from == self.bus.node_id() {
            return Ok(());
        }
        match &envelope.signal {
            Signal::Poke => self.log.poke(),
            Signal::Typing(Typing { room, user, until }) => {
                let now = self.clock.now();
                let length = until.map(|until| until.since(now));
                self.note_typing(*room, *user, length.filter(|length| !length.is_zero()), now);
            }
            Signal::Presence(presence) => {
                let state = match presence.activity {
                    Activity::Online => "online",
                    Activity::Unavailable => "unavailable",
                    Activity::Offline => "offline",
                };
                let heard = Presence {
                    state: state.to_owned(),
                    status: presence.status.clone(),
                    active_at: presence.last_active_at,
                };
                self.note_presence(presence.user, heard).await?;
            }
        }
        Ok(())
    }

    async fn expire(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for room in self.ephemeral.expire(now).0 {
            self.wakers.wake_room(room);
        }
        for user in self.ephemeral.expire_presence(now) {
            self.wake_acquaintances_of(user).await?;
        }
        Ok(())
    }
}

/// Hears other nodes and lets time end what nobody ends, as long as somebody holds `inner`.
pub(crate) fn follow(inner: &Arc<Inner>) {
    tokio::spawn(hear_all(Arc::downgrade(inner), inner.bus.subscribe()));
    tokio::spawn(expire_all(Arc::downgrade(inner)));
}

async fn hear_all(inner: Weak<Inner>, mut subscription: bus::Subscription) {
    while let Some(heard) = subscription.next().await {
        let Some(inner) = inner.upgrade() else { return };
        report(inner.hear(heard).await);
    }
}

async fn expire_all(inner: Weak<Inner>) {
    loop {
        let Some(next) = inner.upgrade().map(|inner| inner.clock.sleep(LOOK_EVERY)) else {
            return;
        };
        next.await;
        let Some(inner) = inner.upgrade() else { return };
        report(inner.expire().await);
    }
}

/// What is not told now is told by the next sync.
fn report(done: Result<(), StoreError>) {
    if let Err(error) = done {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "who shares rooms could not be read");
    }
}
