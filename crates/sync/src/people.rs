//! Who types and who is there: told by clients here, heard from other nodes, ended by time.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use bus::{Activity, Heard, Signal, Typing};
use model::time::Timestamp;
use store::StoreError;

use crate::{
    Presence, Sync,
    ephemeral::{PRESENCE_LASTS, Source},
    sync::Inner,
};

/// How often it is looked for people who have stopped without saying so.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Of how many people other nodes are told at a time, when one has asked: less than the bus
/// queues.
const PORTION: usize = 1_000;

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
        inner.note_typing(room, user, for_how_long, now, Source::Here);
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
        let noted = inner.ephemeral.set_presence(user, presence.clone());
        if noted.tell {
            inner.tell_presence(user, presence);
        }
        if noted.is_news {
            inner.wake_acquaintances_of(user).await?;
        }
        Ok(())
    }
}

impl Inner {
    fn note_typing(
        &self,
        room: i64,
        user: i64,
        length: Option<Duration>,
        now: Timestamp,
        source: Source,
    ) {
        if self.ephemeral.set_typing(room, user, length, now, source) {
            self.wakers.wake_room(room);
        }
    }

    fn tell_presence(&self, user: i64, presence: Presence) {
        self.bus.publish(Signal::Presence(bus::Presence {
            user,
            activity: match presence.state.as_str() {
                "online" => Activity::Online,
                "unavailable" => Activity::Unavailable,
                _ => Activity::Offline,
            },
            until: presence.active_at.plus(PRESENCE_LASTS),
            status: presence.status,
            last_active_at: presence.active_at,
        }));
    }

    /// Tells other nodes what the users of this one do, when one has asked: of typing at once,
    /// of presence a portion at a time. However many ask, it is told once.
    fn tell_who_asked(&self, untold: &mut Vec<i64>) {
        let now = self.clock.now();
        if untold.is_empty() && self.asked.swap(false, Ordering::Relaxed) {
            for (room, user, until) in self.ephemeral.typing_here(now) {
                let until = Some(until);
                self.bus
                    .publish(Signal::Typing(Typing { room, user, until }));
            }
            *untold = self.ephemeral.present_here(now);
        }
        let rest = untold.len().saturating_sub(PORTION);
        for user in untold.drain(rest..) {
            // As it is now: it may have changed since it was asked for.
            if let Some(presence) = self.ephemeral.presence_here(user) {
                self.tell_presence(user, presence);
            }
        }
    }

    async fn wake_acquaintances_of(&self, user: i64) -> Result<(), StoreError> {
        let snapshot = self.rooms.snapshot().await?;
        let others = self.rooms.sharing_users(&snapshot, user).await?;
        self.wakers.wake_users(others);
        Ok(())
    }

    async fn hear(&self, heard: Heard) -> Result<(), StoreError> {
        match heard {
            Heard::Signal(envelope) => self.hear_signal(&envelope.signal).await,
            Heard::Missed(_) => {
                // Typing and presence run out by themselves; the log does not.
                self.log.poke();
                Ok(())
            }
            Heard::Joined => {
                self.log.poke();
                self.asked.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    async fn hear_signal(&self, signal: &Signal) -> Result<(), StoreError> {
        let now = self.clock.now();
        match signal {
            Signal::Poke => self.log.poke(),
            Signal::Ask => self.asked.store(true, Ordering::Relaxed),
            Signal::Typing(Typing { room, user, until }) => {
                let length = until.map(|until| until.since(now));
                let length = length.filter(|length| !length.is_zero());
                self.note_typing(*room, *user, length, now, Source::Elsewhere);
            }
            Signal::Presence(presence) if self.presence_enabled && presence.until > now => {
                let state = match presence.activity {
                    Activity::Online => "online",
                    Activity::Unavailable => "unavailable",
                    Activity::Offline => "offline",
                };
                let heard = Presence {
                    state: state.to_owned(),
                    status: presence.status.clone(),
                    // Nobody was active later than now, whatever another node's clock says.
                    active_at: presence.last_active_at.min(now),
                };
                if self.ephemeral.hear_presence(presence.user, heard) {
                    self.wake_acquaintances_of(presence.user).await?;
                }
            }
            Signal::Presence(_) => {}
        }
        Ok(())
    }

    async fn expire(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for room in self.ephemeral.expire_typing(now) {
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
    // Who listens on NATS only now has missed that it joined.
    inner.bus.publish(Signal::Ask);
}

async fn hear_all(inner: Weak<Inner>, mut subscription: bus::Subscription) {
    while let Some(heard) = subscription.next().await {
        let Some(inner) = inner.upgrade() else { return };
        report(inner.hear(heard).await);
    }
}

async fn expire_all(inner: Weak<Inner>) {
    let mut untold = Vec::new();
    loop {
        let Some(next) = inner.upgrade().map(|inner| inner.clock.sleep(LOOK_EVERY)) else {
            return;
        };
        next.await;
        let Some(inner) = inner.upgrade() else { return };
        report(inner.expire().await);
        inner.tell_who_asked(&mut untold);
    }
}

/// What is not told now is told by the next sync.
fn report(done: Result<(), StoreError>) {
    if let Err(error) = done {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "who shares rooms could not be read");
    }
}
