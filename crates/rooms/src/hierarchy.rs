//! A space and the rooms in it, and in the spaces in it, page by page.
//!
//! A page walks the tree from its root again, over summaries, and shows what lies behind the
//! place where the page before ended. So no node has to remember a client, each room is shown
//! once however often it is named, and what changes between two pages moves nothing else.

mod token;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::try_join_all;
use ruma::{OwnedRoomId, RoomId};
use store::{Snapshot, StoreError};

use self::token::{Cursor, Tree};
use crate::{
    RoomSummary, Rooms, Standing,
    space::{Place, SpaceChild},
    summary::READ_AT_ONCE,
};

/// How deep a tree is walked, at most.
const DEEPEST: u64 = 16;

/// How many rooms of a tree are walked through: the rest is never shown.
const LARGEST_TREE: usize = 10_000;

/// How many rooms one page looks at, shown or not.
const LOOKED_AT: usize = 1_000;

/// What is asked of a space.
pub struct HierarchyRequest<'a> {
    /// The space, or any room.
    pub room_id: &'a RoomId,
    /// The integer of who asks.
    pub user: i64,
    /// Whether only rooms that their space recommends count.
    pub suggested_only: bool,
    /// How deep the tree is walked.
    pub max_depth: Option<u64>,
    /// The most rooms of the page.
    pub limit: usize,
    /// Where the page begins.
    pub from: Option<&'a str>,
}

/// A part of a tree of spaces.
pub struct HierarchyPage {
    /// The rooms, each space before what is in it.
    pub rooms: Vec<Arc<RoomSummary>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum HierarchyError {
    /// There is no such room for this user.
    #[error("you are not allowed to view this room")]
    Hidden,
    /// The token is none of this server's.
    #[error("the token is not known to this server")]
    BadToken,
    /// The token is too old.
    #[error("the token has expired: begin again without one")]
    Expired,
    /// The token continues another request.
    #[error("suggested_only and max_depth cannot change on paginated requests")]
    OtherRequest,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Gives a page of a space's tree, as far as the user may look at it.
    pub async fn hierarchy(
        &self,
        request: &HierarchyRequest<'_>,
    ) -> Result<HierarchyPage, HierarchyError> {
        let tree = Tree {
            room_id: request.room_id.to_owned(),
            max_depth: request.max_depth.unwrap_or(DEEPEST).min(DEEPEST),
            suggested_only: request.suggested_only,
        };
        let cursor = request.from.map(|from| self.read_cursor(from, &tree));
        let cursor = cursor.transpose()?;
        let snapshot = self.snapshot().await?;
        let mut walk = Walk {
            rooms: self,
            standing: self.standing(&snapshot, request.user).await?,
            snapshot,
            tree: &tree,
            known: HashMap::new(),
            visited: HashSet::from([request.room_id.to_owned()]),
            frames: Vec::new(),
        };
        let root = walk.root().await?.ok_or(HierarchyError::Hidden)?;
        let (rooms, end) = walk.page(root, cursor, request.limit.max(1)).await?;
        let next = end.map(|path| self.write_cursor(&tree, path));
        Ok(HierarchyPage { rooms, next })
    }
}

/// A walk through a tree, each space before what is in it.
struct Walk<'a> {
    rooms: &'a Rooms,
    snapshot: Snapshot,
    standing: Standing,
    tree: &'a Tree,
    /// The rooms that were looked up; `None` for those that do not exist here.
    known: HashMap<OwnedRoomId, Option<Arc<RoomSummary>>>,
    visited: HashSet<OwnedRoomId>,
    /// The spaces from the root to where the walk is.
    frames: Vec<Frame>,
}

struct Frame {
    space: Arc<RoomSummary>,
    /// The next of its children.
    next: usize,
}

impl Walk<'_> {
    async fn root(&mut self) -> Result<Option<Arc<RoomSummary>>, StoreError> {
        let room_id = self.tree.room_id.clone();
        self.look_up(vec![room_id.clone()]).await?;
        Ok(self.shown(&room_id))
    }

    /// The rooms behind the cursor, and where the page ends if there are more.
    async fn page(
        &mut self,
        root: Arc<RoomSummary>,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<Arc<RoomSummary>>, Option<Vec<Place>>), StoreError> {
        let mut rooms = Vec::new();
        let mut end = Vec::new();
        if cursor.is_none() {
            rooms.push(Arc::clone(&root));
        }
        if self.tree.max_depth > 0 {
            self.frames.push(Frame {
                space: root,
                next: 0,
            });
        }
        let mut behind = cursor.map(|cursor| cursor.path);
        let mut looked_at = 0;
        while let Some(index) = self.step() {
            let path = self.path(index);
            let is_new = behind.as_ref().is_none_or(|cursor| path > *cursor);
            if is_new {
                behind = None;
                looked_at += 1;
            }
            let shown = self.visit(index).await?;
            if is_new {
                let is_full = rooms.len() == limit && shown.is_some();
                if is_full || looked_at > LOOKED_AT {
                    return Ok((rooms, Some(end)));
                }
                rooms.extend(shown.clone());
                end = path;
            }
            if let Some(space) = shown
                && (self.frames.len() as u64) < self.tree.max_depth
            {
                self.frames.push(Frame { space, next: 0 });
            }
        }
        Ok((rooms, None))
    }

    /// Goes to the next room that was not visited, and gives its place in the last frame.
    fn step(&mut self) -> Option<usize> {
        if self.visited.len() >= LARGEST_TREE {
            return None;
        }
        while let Some(frame) = self.frames.last_mut() {
            let Some(child) = frame.space.children.get(frame.next) else {
                self.frames.pop();
                continue;
            };
            let index = frame.next;
            frame.next += 1;
            let counts = child.suggested || !self.tree.suggested_only;
            if counts && self.visited.insert(child.room_id.clone()) {
                return Some(index);
            }
        }
        None
    }

    /// The places from the root to a child of the last frame.
    fn path(&self, index: usize) -> Vec<Place> {
        let indexes = self.frames.iter().map(|frame| frame.next - 1);
        let last = self.frames.len().saturating_sub(1);
        let indexes = indexes.take(last).chain([index]);
        let children = self.frames.iter().zip(indexes);
        children
            .map(|(frame, index)| frame.space.children[index].place.clone())
            .collect()
    }

    /// A child of the last frame, if the user may look at it; those that follow it are looked up
    /// with it.
    async fn visit(&mut self, index: usize) -> Result<Option<Arc<RoomSummary>>, StoreError> {
        let Some(frame) = self.frames.last() else {
            return Ok(None);
        };
        let space = Arc::clone(&frame.space);
        let child = &space.children[index];
        if !self.known.contains_key(&child.room_id) {
            let unknown = |child: &&SpaceChild| !self.known.contains_key(&child.room_id);
            let following = space.children[index..].iter().filter(unknown);
            let following = following.map(|child| child.room_id.clone());
            let following = following.take(READ_AT_ONCE).collect();
            self.look_up(following).await?;
        }
        Ok(self.shown(&child.room_id))
    }

    fn shown(&self, room_id: &RoomId) -> Option<Arc<RoomSummary>> {
        let summary = self.known.get(room_id)?.as_ref()?;
        summary
            .is_shown_to(&self.standing)
            .then(|| Arc::clone(summary))
    }

    async fn look_up(&mut self, room_ids: Vec<OwnedRoomId>) -> Result<(), StoreError> {
        let names = self.rooms.names();
        let finding = room_ids
            .iter()
            .map(|room_id| names.room(&self.snapshot, room_id.as_str()));
        let numbers = try_join_all(finding).await?;
        let rooms: Vec<i64> = numbers.iter().flatten().copied().collect();
        let mut found = self.rooms.summaries(&self.snapshot, &rooms).await?;
        for (room_id, number) in room_ids.into_iter().zip(numbers) {
            let summary = number.and_then(|number| found.remove(&number));
            self.known.insert(room_id, summary);
        }
        Ok(())
    }
}
