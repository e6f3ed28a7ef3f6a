//! A result with what was said around it.

use std::collections::{BTreeMap, BTreeSet};

use model::{event::Pdu, filter::EventFilter};
use rooms::{Direction, Page, PageRequest, Rooms, StoredEvent};
use ruma::{
    OwnedUserId, UserId,
    api::client::search::search_events::v3::{EventContext as Asked, UserProfile},
    events::AnyTimelineEvent,
    serde::Raw,
};
use store::StoreError;
use sync::Boundary;

use super::answer::EventContext;
use crate::{error::ApiError, events::RoomView};

/// How many events are told around all results together, at most.
const MOST: usize = 1_000;

/// How many more are read on each side, for those that are not told.
const SPARE: usize = 16;

/// What is told around each result.
pub(super) struct Around<'a> {
    rooms: &'a Rooms,
    ignored: &'a BTreeSet<OwnedUserId>,
    before: usize,
    after: usize,
    profiles: bool,
}

impl<'a> Around<'a> {
    /// As much as was asked for, or as one answer with so many results has room for.
    pub(super) fn new(
        rooms: &'a Rooms,
        ignored: &'a BTreeSet<OwnedUserId>,
        asked: &Asked,
        results: usize,
    ) -> Self {
        let most = MOST / 2 / results.max(1);
        let bounded = |limit| usize::try_from(limit).unwrap_or(usize::MAX).min(most);
        Self {
            rooms,
            ignored,
            before: bounded(asked.before_limit),
            after: bounded(asked.after_limit),
            profiles: asked.include_profile,
        }
    }

    /// The event as it is told, and its surroundings.
    pub(super) async fn of(
        &self,
        view: &RoomView<'_>,
        event: StoredEvent,
    ) -> Result<(Raw<AnyTimelineEvent>, EventContext), ApiError> {
        let (first, behind) = (event.ord, event.ord.saturating_add(1));
        let before = self.page(view, first, Direction::Backward, self.before);
        let before = before.await.map_err(ApiError::internal)?;
        let after = self.page(view, behind, Direction::Forward, self.after);
        let after = after.await.map_err(ApiError::internal)?;
        let oldest = before.events.last().map_or(first, |event| event.ord);
        let newest = after.events.last().map_or(event.ord, |event| event.ord);
        let token = |ord| Boundary::new(&view.snapshot, ord).to_string();
        let start = token(before.next.unwrap_or(oldest));
        let end = token(after.next.unwrap_or_else(|| newest.saturating_add(1)));
        let count_before = before.events.len();
        let mut told = before.events;
        told.push(event);
        told.extend(after.events);
        let profile_info = match self.profiles {
            true => Some(profiles(view, &told).await.map_err(ApiError::internal)?),
            false => None,
        };
        let mut rendered = view.timeline(&told).await?;
        let events_after = rendered.split_off(count_before + 1);
        let events_before = rendered.drain(..count_before).collect();
        let missing = || ApiError::internal("an event was not told");
        let result = rendered.pop().ok_or_else(missing)?;
        let context = EventContext {
            start,
            end,
            events_before,
            events_after,
            profile_info,
        };
        Ok((result, context))
    }

    async fn page(
        &self,
        view: &RoomView<'_>,
        from: i64,
        direction: Direction,
        limit: usize,
    ) -> Result<Page, StoreError> {
        if limit == 0 {
            return Ok(Page {
                events: Vec::new(),
                next: Some(from),
            });
        }
        let request = PageRequest {
            from,
            to: None,
            direction,
            limit,
            filter: &EventFilter::default(),
            ignored: self.ignored,
            unbroken: false,
        };
        let most_rows = limit.saturating_add(SPARE);
        self.rooms
            .page_within(
                &view.snapshot,
                &view.room,
                &view.history,
                &request,
                most_rows,
            )
            .await
    }
}

/// How those who speak were called then.
async fn profiles(
    view: &RoomView<'_>,
    told: &[StoredEvent],
) -> Result<BTreeMap<OwnedUserId, UserProfile>, StoreError> {
    let members = view.members(told).await?;
    let profile = |member: &Pdu| {
        let user_id = UserId::parse(member.state_key()?).ok()?;
        Some((user_id.to_owned(), profile_in(member)))
    };
    Ok(members
        .iter()
        .filter_map(|member| profile(member))
        .collect())
}

fn profile_in(member: &Pdu) -> UserProfile {
    #[derive(Default, serde::Deserialize)]
    struct Content {
        #[serde(default)]
        displayname: serde_json::Value,
        #[serde(default)]
        avatar_url: serde_json::Value,
    }
    let content: Content = member.content_as().unwrap_or_default();
    let mut profile = UserProfile::new();
    profile.displayname = content.displayname.as_str().map(str::to_owned);
    profile.avatar_url = content.avatar_url.as_str().map(Into::into);
    profile
}
