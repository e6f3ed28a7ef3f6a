//! Typing and presence, which travel on the bus alone: passed on to services that want them, and
//! lost where a service is not there.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::pending,
    pin::pin,
    time::Duration,
};

use appservices::Appservice;
use bus::{Activity, Bus, Heard, Presence, Signal, Typing};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
    stream::{FuturesUnordered, StreamExt},
};
use model::time::Timestamp;
use rooms::{Room, RoomsError};
use serde_json::{Value, json};
use store::{Pos, Snapshot, StoreError};

use crate::{bridging::Inner, transaction::Content};

/// How long news are gathered before they are told together.
const GATHER: Duration = Duration::from_millis(50);

/// How often it is looked who has stopped typing without saying so.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// For how many rooms and people there may be news that were not told.
const MOST_NEWS: usize = 10_000;

/// Of how many rooms it is remembered whom they concern.
const MOST_ROOMS: usize = 10_000;

/// A request that is on its way to a service.
type Going<'a> = BoxFuture<'a, usize>;

/// Passes typing and presence on, for as long as it is polled.
pub(crate) async fn pass_on(inner: &Inner, bus: Option<&Bus>) -> Result<(), StoreError> {
    let services = inner.appservices().iter();
    let wanting = services.filter(|service| service.url().is_some() && service.wants_ephemeral());
    let services: Vec<Appservice> = wanting.cloned().collect();
    let Some(bus) = bus.filter(|_| !services.is_empty()) else {
        return pending().await;
    };
    let mut ephemera = Ephemera {
        inner,
        name: u64::from(bus.node_id()),
        told: 0,
        news: services.iter().map(|_| News::default()).collect(),
        typing: HashMap::new(),
        concerned: HashMap::new(),
        services,
    };
    let mut heard = bus.subscribe();
    let mut going: FuturesUnordered<Going<'_>> = FuturesUnordered::new();
    loop {
        let wait = match ephemera.has_news() {
            true => GATHER,
            false => LOOK_EVERY,
        };
        let mut waiting = inner.log.clock().sleep(wait);
        loop {
            let next = pin!(async {
                match going.is_empty() {
                    true => pending().await,
                    false => going.next().await,
                }
            });
            let hearing = pin!(heard.next());
            match select(select(hearing, next), &mut waiting).await {
                Either::Left((Either::Left((Some(Heard::Signal(envelope)), _)), _)) => {
                    let had_news = ephemera.has_news();
                    ephemera.hear(&envelope.signal).await?;
                    if !had_news && ephemera.has_news() {
                        break;
                    }
                }
                Either::Left((Either::Left((Some(_), _)), _)) => {}
                // The bus is gone, and so is this node.
                Either::Left((Either::Left((None, _)), _)) => return pending().await,
                Either::Left((Either::Right((done, _)), _)) => {
                    if let Some(service) = done {
                        ephemera.news[service].is_going = false;
                    }
                }
                Either::Right(_) => {
                    ephemera.expire().await?;
                    for service in 0..ephemera.services.len() {
                        if let Some(sending) = ephemera.send(service).await? {
                            going.push(sending);
                        }
                    }
                    break;
                }
            }
        }
    }
}

struct Ephemera<'a> {
    inner: &'a Inner,
    /// Tells the transactions of this from all others, with how many there were.
    name: u64,
    told: u64,
    services: Vec<Appservice>,
    /// What each of them was not told yet.
    news: Vec<News>,
    /// Who types where, and until when.
    typing: HashMap<i64, BTreeMap<i64, Timestamp>>,
    /// Whom rooms concern, as of which state.
    concerned: HashMap<i64, (Pos, Vec<usize>)>,
}

#[derive(Default)]
struct News {
    rooms: BTreeSet<i64>,
    presence: BTreeMap<i64, Presence>,
    is_going: bool,
}

impl News {
    fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.presence.is_empty()
    }
}

impl<'a> Ephemera<'a> {
    fn has_news(&self) -> bool {
        self.news.iter().any(|news| !news.is_empty())
    }

    async fn hear(&mut self, signal: &Signal) -> Result<(), StoreError> {
        match signal {
            Signal::Typing(typing) => self.hear_typing(typing).await,
            Signal::Presence(presence) => self.hear_presence(presence).await,
            Signal::Poke | Signal::Ask => Ok(()),
        }
    }

    async fn hear_typing(&mut self, typing: &Typing) -> Result<(), StoreError> {
        let now = self.inner.log.clock().now();
        let until = typing.until.filter(|until| *until > now);
        if self.typing.len() >= MOST_NEWS && !self.typing.contains_key(&typing.room) {
            return Ok(());
        }
        let typists = self.typing.entry(typing.room).or_default();
        let is_news = match until {
            Some(until) => typists.insert(typing.user, until).is_none(),
            None => typists.remove(&typing.user).is_some(),
        };
        match is_news {
            true => self.note_room(typing.room).await,
            false => Ok(()),
        }
    }

    async fn hear_presence(&mut self, presence: &Presence) -> Result<(), StoreError> {
        let database = self.inner.log.database();
        let snapshot = database.snapshot().await?;
        let rooms = &self.inner.rooms;
        let mut concerned = BTreeSet::new();
        for room in rooms.joined_room_numbers(&snapshot, presence.user).await? {
            concerned.extend(self.concerned(&snapshot, room).await?);
        }
        for service in concerned {
            let told = &mut self.news[service].presence;
            if told.len() < MOST_NEWS || told.contains_key(&presence.user) {
                told.insert(presence.user, presence.clone());
            }
        }
        Ok(())
    }

    /// Who types in a room has changed.
    async fn note_room(&mut self, room: i64) -> Result<(), StoreError> {
        let snapshot = self.inner.log.database().snapshot().await?;
        for service in self.concerned(&snapshot, room).await? {
            let rooms = &mut self.news[service].rooms;
            if rooms.len() < MOST_NEWS {
                rooms.insert(room);
            }
        }
        Ok(())
    }

    /// Ends the typing of those whose time is over.
    async fn expire(&mut self) -> Result<(), StoreError> {
        let now = self.inner.log.clock().now();
        let mut stopped = Vec::new();
        for (room, typists) in &mut self.typing {
            let before = typists.len();
            typists.retain(|_, until| *until > now);
            if typists.len() < before {
                stopped.push(*room);
            }
        }
        for room in stopped {
            self.note_room(room).await?;
        }
        self.typing.retain(|_, typists| !typists.is_empty());
        Ok(())
    }

    /// The services that a room concerns now; an alias that is set later counts from the next
    /// change of its state on.
    async fn concerned(
        &mut self,
        snapshot: &Snapshot,
        room: i64,
    ) -> Result<Vec<usize>, StoreError> {
        // The bus may name a room that is not there, or not yet.
        let found = match self.inner.rooms.room_by_number(snapshot, room).await {
            Ok(found) => found,
            Err(StoreError::Damaged(_)) => None,
            Err(error) => return Err(error),
        };
        let Some(found) = found else {
            return Ok(Vec::new());
        };
        let known = self.concerned.get(&room);
        if let Some((_, services)) = known.filter(|(as_of, _)| *as_of == found.state_pos()) {
            return Ok(services.clone());
        }
        let aliases = match self.services.iter().any(Appservice::has_aliases) {
            true => match self.inner.rooms.aliases_of(&found.room_id).await {
                Ok(aliases) => aliases,
                Err(RoomsError::Store(error)) => return Err(error),
                Err(_) => Vec::new(),
            },
            false => Vec::new(),
        };
        let numbered = self.services.iter().enumerate();
        let services = numbered.filter(|(_, service)| {
            service.claims_room(&found.room_id)
                || aliases.iter().any(|alias| service.claims_alias(alias))
                || has_member_of(service, &found)
        });
        let services: Vec<usize> = services.map(|(number, _)| number).collect();
        if self.concerned.len() >= MOST_ROOMS {
            self.concerned.clear();
        }
        let kept = (found.state_pos(), services.clone());
        self.concerned.insert(room, kept);
        Ok(services)
    }

    /// Tells a service what is new, if anything is and nothing is on its way to it. One that does
    /// not take what it is sent is told nothing of this: it would be old by then.
    async fn send(&mut self, service: usize) -> Result<Option<Going<'a>>, StoreError> {
        let news = &mut self.news[service];
        if news.is_going || news.is_empty() {
            return Ok(None);
        }
        let rooms = std::mem::take(&mut news.rooms);
        let presence = std::mem::take(&mut news.presence);
        let appservice = self.services[service].clone();
        if self.inner.failing.lock().contains(appservice.id()) {
            return Ok(None);
        }
        let snapshot = self.inner.log.database().snapshot().await?;
        let mut content = Content::default();
        for room in rooms {
            content
                .ephemeral
                .push(self.typing_in(&snapshot, room).await?);
        }
        for presence in presence.values() {
            content
                .ephemeral
                .push(self.presence(&snapshot, presence).await?);
        }
        drop(snapshot);
        self.news[service].is_going = true;
        self.told += 1;
        let txn_id = format!("e.{}.{}", self.name, self.told);
        let inner = self.inner;
        let body = content.to_json().into();
        let sending = async move {
            // Whether it was taken or not, it is over.
            drop(inner.send(&appservice, &txn_id, body).await);
            service
        };
        Ok(Some(sending.boxed()))
    }

    async fn typing_in(&self, snapshot: &Snapshot, room: i64) -> Result<Value, StoreError> {
        let names = self.inner.log.database().names();
        let room_id = names.room_name(snapshot, room).await?;
        let mut user_ids = Vec::new();
        for user in self.typing.get(&room).into_iter().flat_map(BTreeMap::keys) {
            match self.inner.rooms.user_id(snapshot, *user).await {
                Ok(user_id) => user_ids.push(user_id),
                // The bus may name somebody who is not there.
                Err(StoreError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let content = json!({ "user_ids": user_ids });
        Ok(json!({ "type": "m.typing", "room_id": &*room_id, "content": content }))
    }

    async fn presence(
        &self,
        snapshot: &Snapshot,
        presence: &Presence,
    ) -> Result<Value, StoreError> {
        let sender = self.inner.rooms.user_id(snapshot, presence.user).await?;
        let now = self.inner.log.clock().now();
        let ago = now.since(presence.last_active_at).as_millis();
        let state = match presence.activity {
            Activity::Online => "online",
            Activity::Unavailable => "unavailable",
            Activity::Offline => "offline",
        };
        let mut content = json!({
            "presence": state,
            "last_active_ago": u64::try_from(ago).unwrap_or(u64::MAX),
            "currently_active": state == "online",
        });
        if let Some(status) = &presence.status {
            content["status_msg"] = status.as_str().into();
        }
        Ok(json!({ "type": "m.presence", "sender": sender, "content": content }))
    }
}

fn has_member_of(service: &Appservice, room: &Room) -> bool {
    let joined = room
        .state
        .members()
        .filter(|(user_id, _)| room.state.is_joined(user_id));
    joined
        .into_iter()
        .any(|(user_id, _)| service.acts_for(user_id))
}
