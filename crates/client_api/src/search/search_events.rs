//! `POST /_matrix/client/v3/search` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3search

use std::{collections::BTreeMap, sync::Arc};

use accounts::Accounts;
use axum::{Json, extract::State};
use model::time::Clock;
use rooms::Rooms;
use ruma::{
    OwnedRoomId,
    api::client::search::search_events::v3::{
        Criteria as Asked, GroupingKey, Groupings, OrderBy, Request, SearchKeys,
    },
    events::AnyStateEvent,
    serde::Raw,
};
use search::{Criteria, Field, Found, Group as Part, Hit, Order, PageToken, Search, Wanted};
use serde_json::{Map, Value, json};
use tracing::instrument;

use super::{
    answer::{Answer, Categories, Group, Groups, RoomEvents, SearchResult},
    around::Around,
};
use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    matrix::{Complete, Completed},
    messages::compiled,
};

/// How many results a page has when the client does not say, and at most.
const PAGE: usize = 10;
const LONGEST_PAGE: usize = 100;

/// How many events are asked for around each result by who asks for none at all: the largest
/// number that JSON has for everybody.
const NOT_ASKED: u64 = (1 << 53) - 1;

impl Complete for Request {
    fn complete(body: &mut Map<String, Value>) {
        let categories = body.get_mut("search_categories");
        let criteria = categories.and_then(|categories| categories.get_mut("room_events"));
        // One that lacks what it must have is refused as it came.
        if let Some(criteria) = criteria.and_then(Value::as_object_mut)
            && criteria.contains_key("search_term")
        {
            let nothing = json!({"before_limit": NOT_ASKED, "after_limit": NOT_ASKED});
            criteria.entry("event_context").or_insert(nothing);
        }
    }
}

/// Finds messages, and names and topics of rooms, by their words: in the rooms that the caller is
/// or was in, as far as they may see them. What is encrypted end to end is not found.
#[instrument(name = "client.search_events", skip_all)]
pub(crate) async fn search_events(
    State(search): State<Search>,
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Completed(req): Completed<Request>,
) -> Result<Json<Answer>, ApiError> {
    let mut search_categories = Categories::default();
    if let Some(asked) = &req.search_categories.room_events {
        let criteria = criteria(asked, req.next_batch.as_deref())?;
        let group_by = group_by(&asked.groupings)?;
        // Before a snapshot is held: nobody waits for a second one.
        let ignored = accounts.ignored_users(caller.user).await;
        let ignored = ignored.map_err(ApiError::internal)?;
        let found = search.find(caller.user, &caller.user_id, &criteria).await;
        let found = found.map_err(ApiError::internal)?;
        let telling = Telling {
            rooms: &rooms,
            clock: &*clock,
            caller: &caller,
            found: &found,
            criteria: &criteria,
        };
        let around = Around::new(&rooms, &ignored, &asked.event_context, found.hits.len());
        let is_asked = u64::from(asked.event_context.before_limit) != NOT_ASKED;
        let results = telling.results(is_asked.then_some(&around)).await?;
        let state = match asked.include_state {
            Some(true) => Some(telling.state().await?),
            _ => None,
        };
        let texts = found.hits.iter().map(|hit| hit.text.as_str());
        search_categories.room_events = Some(RoomEvents {
            count: found.count,
            highlights: criteria.wanted.highlights(texts),
            results,
            state,
            groups: groups(&found, group_by),
            next_batch: found.next.as_ref().map(ToString::to_string),
        });
    }
    Ok(Json(Answer { search_categories }))
}

fn criteria(asked: &Asked, next_batch: Option<&str>) -> Result<Criteria, ApiError> {
    let wanted = Wanted::new(&asked.search_term)
        .map_err(|error| ApiError::invalid_param(format_args!("search_term: {error}")))?;
    let filter = compiled(&asked.filter)?;
    let limit = match filter.limit {
        None => PAGE,
        Some(0) => {
            return Err(ApiError::invalid_param(
                "filter: limit: not greater than zero",
            ));
        }
        Some(limit) => limit.min(LONGEST_PAGE),
    };
    let from = next_batch.map(str::parse::<PageToken>).transpose();
    let from =
        from.map_err(|error| ApiError::invalid_param(format_args!("next_batch: {error}")))?;
    let mut fields = fields(asked.keys.as_deref())?;
    fields.retain(|field| filter.matches_type(field.event_type()));
    Ok(Criteria {
        wanted,
        fields,
        filter,
        order: order(asked.order_by.as_ref())?,
        limit,
        from,
    })
}

fn fields(keys: Option<&[SearchKeys]>) -> Result<Vec<Field>, ApiError> {
    let Some(keys) = keys else {
        return Ok(Field::ALL.to_vec());
    };
    let field = |key: &SearchKeys| match key {
        SearchKeys::ContentBody => Ok(Field::Body),
        SearchKeys::ContentName => Ok(Field::Name),
        SearchKeys::ContentTopic => Ok(Field::Topic),
        _ => Err(ApiError::invalid_param(
            "keys: content.body, content.name and content.topic are searched",
        )),
    };
    let mut fields = keys.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    fields.sort_unstable();
    fields.dedup();
    Ok(fields)
}

fn order(order_by: Option<&OrderBy>) -> Result<Order, ApiError> {
    match order_by {
        None | Some(OrderBy::Rank) => Ok(Order::Rank),
        Some(OrderBy::Recent) => Ok(Order::Recent),
        Some(_) => Err(ApiError::invalid_param("order_by: it is recent or rank")),
    }
}

/// Whether results are grouped by room, and by sender.
fn group_by(groupings: &Groupings) -> Result<(bool, bool), ApiError> {
    let (mut by_room, mut by_sender) = (false, false);
    for grouping in &groupings.group_by {
        match &grouping.key {
            Some(GroupingKey::RoomId) => by_room = true,
            Some(GroupingKey::Sender) => by_sender = true,
            None => {}
            Some(_) => {
                let sentence = "groupings: results are grouped by room_id or sender";
                return Err(ApiError::invalid_param(sentence));
            }
        }
    }
    Ok((by_room, by_sender))
}

fn groups(found: &Found, (by_room, by_sender): (bool, bool)) -> Groups {
    let room = |hit: &Hit| hit.room.room_id.clone();
    let sender = |hit: &Hit| hit.event.pdu.sender().to_owned();
    Groups {
        room_id: by_room.then(|| grouped(found, room, Part::Room)),
        sender: by_sender.then(|| grouped(found, sender, Part::Sender)),
    }
}

fn grouped<Key: Ord + Clone>(
    found: &Found,
    key: impl Fn(&Hit) -> Key,
    part: impl Fn(Key) -> Part,
) -> BTreeMap<Key, Group> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for hit in &found.hits {
        let key = key(hit);
        let order = groups.len() + 1;
        let group = groups.entry(key.clone()).or_insert_with(|| {
            let next = found.next.as_ref();
            let next = next.map(|next| next.of_group(part(key)).to_string());
            Group {
                order,
                results: Vec::new(),
                next_batch: next,
            }
        });
        group.results.push(hit.event.pdu.event_id().to_owned());
    }
    groups
}

/// What is told of a page of results.
struct Telling<'a> {
    rooms: &'a Rooms,
    clock: &'a dyn Clock,
    caller: &'a Caller,
    found: &'a Found,
    criteria: &'a Criteria,
}

impl Telling<'_> {
    fn view(&self, hit: &Hit) -> RoomView<'_> {
        let of_room = (&hit.room, &hit.history);
        RoomView::over(
            self.rooms,
            self.clock,
            self.caller,
            &self.found.snapshot,
            of_room,
        )
    }

    async fn results(&self, around: Option<&Around<'_>>) -> Result<Vec<SearchResult>, ApiError> {
        let mut results = Vec::with_capacity(self.found.hits.len());
        for hit in &self.found.hits {
            let view = self.view(hit);
            let (result, context) = match around {
                Some(around) => {
                    let (result, context) = around.of(&view, hit.event.clone()).await?;
                    (result, Some(context))
                }
                None => {
                    let result = view.event(&hit.event).await;
                    (result.map_err(ApiError::internal)?, None)
                }
            };
            results.push(SearchResult {
                rank: hit.rank,
                result,
                context,
            });
        }
        Ok(results)
    }

    /// The state of each room with results: the current one or, where the caller has left, that of
    /// their leaving; under lazy loading the members are only those who sent results.
    async fn state(&self) -> Result<BTreeMap<OwnedRoomId, Vec<Raw<AnyStateEvent>>>, ApiError> {
        let mut states = BTreeMap::new();
        for hit in &self.found.hits {
            let room_id = &hit.room.room_id;
            let Some(before) = hit.history.state_before() else {
                continue;
            };
            if states.contains_key(room_id) {
                continue;
            }
            let view = self.view(hit);
            let state = view.state_before(before).await;
            let state = state.map_err(ApiError::internal)?;
            let state = state.iter().filter(|event| match event.state_slot() {
                Some(("m.room.member", user)) => self.tells_member(room_id, user),
                _ => true,
            });
            let state = state.map(|event| view.state(event)).collect();
            states.insert(room_id.clone(), state);
        }
        Ok(states)
    }

    fn tells_member(&self, room_id: &ruma::RoomId, user: &str) -> bool {
        let is_sender = |hit: &Hit| hit.room.room_id == room_id && hit.event.pdu.sender() == user;
        !self.criteria.filter.lazy_load_members || self.found.hits.iter().any(is_sender)
    }
}
