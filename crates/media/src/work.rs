//! What one batch knows of files: what its checks read, and what they have staged.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::try_join_all;
use model::time::Timestamp;
use ruma::{OwnedUserId, UserId};
use seal::KeySet;
use store::{CheckContext, Journal, Staged, StoreError, Tx};

use crate::{
    MediaId, Usage,
    change::{Change, Expired, Outcome, Placed, Refusal, Rendition, Reservation, Uploaded},
    reserve::{MAX_PENDING, UNUSED_FOR},
    rows,
    thumbnail::Size,
};

/// One attempt at a batch.
pub(crate) struct Work {
    users: HashMap<OwnedUserId, i64>,
    pub(crate) keys: Option<KeySet>,
    pub(crate) rows: Journal<Placed>,
    pub(crate) usage: Staged<i64, Usage>,
    pub(crate) pending: Staged<String, Pending>,
    /// By user, when each of their unused ids expires.
    expiries: Staged<i64, Vec<i64>>,
    /// The owners of files that exist.
    pub(crate) files: Staged<String, i64>,
    /// By owner and moment, files that were stored before it, with their sizes.
    expired: HashMap<(i64, i64), Vec<SizedFile>>,
    thumbnails: Staged<(String, Size), ()>,
}

/// An id without content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) pos: i64,
    pub(crate) owner: i64,
    pub(crate) expires_at: i64,
}

/// The id of a file, and its size in bytes.
pub(crate) type SizedFile = (String, u64);

/// What was read for one change.
#[derive(Default)]
struct Loaded {
    usage: Option<(i64, Usage)>,
    pending: Option<(String, Pending)>,
    expiries: Option<(i64, Vec<i64>)>,
    file: Option<(String, i64)>,
    expired: Option<((i64, i64), Vec<SizedFile>)>,
    thumbnail: Option<(String, Size)>,
}

impl Work {
    pub(crate) fn new(users: HashMap<OwnedUserId, i64>) -> Self {
        Self {
            users,
            keys: None,
            rows: Journal::default(),
            usage: Staged::default(),
            pending: Staged::default(),
            expiries: Staged::default(),
            files: Staged::default(),
            expired: HashMap::new(),
            thumbnails: Staged::default(),
        }
    }

    /// The integer of a user who was interned for this batch.
    pub(crate) fn user(&self, id: &UserId) -> Option<i64> {
        self.users.get(id).copied()
    }

    pub(crate) fn keys(&self) -> Result<&KeySet, StoreError> {
        let missing = || StoreError::Damaged("a batch of files has no keys".to_owned());
        self.keys.as_ref().ok_or_else(missing)
    }

    /// Reads what the checks depend on. Statements of different changes travel together.
    pub(crate) async fn load(
        &mut self,
        tx: &Tx,
        changes: &[&Arc<Change>],
    ) -> Result<(), StoreError> {
        let loaded = changes.iter().map(|change| self.read(tx, change));
        for loaded in try_join_all(loaded).await? {
            if let Some((owner, usage)) = loaded.usage {
                self.usage.load(owner, usage);
            }
            if let Some((id, pending)) = loaded.pending {
                self.pending.load(id, pending);
            }
            if let Some((owner, expiries)) = loaded.expiries {
                self.expiries.load(owner, expiries);
            }
            if let Some((id, owner)) = loaded.file {
                self.files.load(id, owner);
            }
            if let Some(((owner, moment), files)) = loaded.expired {
                for (id, _) in &files {
                    self.files.load(id.clone(), owner);
                }
                self.expired.insert((owner, moment), files);
            }
            if let Some(thumbnail) = loaded.thumbnail {
                self.thumbnails.load(thumbnail, ());
            }
        }
        Ok(())
    }

    async fn read(&self, tx: &Tx, change: &Change) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        match change {
            Change::Add(file) => {
                if let Some(owner) = self.user(&file.owner) {
                    loaded.usage = Some((owner, rows::usage(tx, owner).await?));
                }
                // An id that is made with its content cannot be known before.
                if file.is_reserved {
                    let id = file.id.as_str();
                    loaded.pending = rows::pending(tx, id).await?.map(|row| (id.into(), row));
                    loaded.file = rows::owner(tx, id).await?.map(|owner| (id.into(), owner));
                }
            }
            Change::Reserve(wanted) => {
                if let Some(owner) = self.user(&wanted.owner) {
                    loaded.expiries = Some((owner, rows::expiries(tx, owner).await?));
                }
            }
            Change::Thumbnail(rendition) => {
                let (id, size) = (rendition.of.as_str(), rendition.size);
                loaded.file = rows::owner(tx, id).await?.map(|owner| (id.into(), owner));
                let known = rows::has_thumbnail(tx, id, size).await?;
                loaded.thumbnail = known.then(|| (id.into(), size));
            }
            Change::Forget(expired) => {
                if let Some(owner) = self.user(&expired.owner) {
                    let moment = expired.stored_before.as_millis();
                    loaded.usage = Some((owner, rows::usage(tx, owner).await?));
                    let files = rows::stored_before(tx, owner, moment).await?;
                    loaded.expired = Some(((owner, moment), files));
                }
            }
            Change::Tidy { .. } => {}
        }
        Ok(loaded)
    }

    /// Checks a change against what was read and what stands before it in the batch.
    pub(crate) fn check(
        &mut self,
        change: &Change,
        context: &mut CheckContext<'_>,
    ) -> Result<Outcome, Refusal> {
        match change {
            Change::Add(file) => self.add(file, context),
            Change::Reserve(wanted) => self.reserve(wanted, context),
            Change::Thumbnail(rendition) => self.add_thumbnail(rendition),
            Change::Forget(expired) => Ok(self.forget(expired)),
            Change::Tidy { .. } => Ok(Outcome::Done),
        }
    }

    fn add(&mut self, file: &Uploaded, context: &mut CheckContext<'_>) -> Result<Outcome, Refusal> {
        let owner = self.user(&file.owner).ok_or(Refusal::Missing)?;
        if file.is_reserved {
            self.take_pending(&file.id, owner, context.now())?;
            // Whoever waits for it on any node looks again.
            context.touch_user(owner);
        }
        let usage = self.usage.get(&owner).copied().unwrap_or_default();
        let usage = usage.with(file.size_bytes);
        if usage.size_bytes > file.quota_bytes {
            return Err(Refusal::QuotaReached);
        }
        self.usage.put(owner, usage);
        self.files.put(file.id.as_str().to_owned(), owner);
        Ok(Outcome::Done)
    }

    fn take_pending(&mut self, id: &MediaId, owner: i64, now: Timestamp) -> Result<(), Refusal> {
        let key = id.as_str().to_owned();
        judge(
            self.files.get(&key).copied(),
            self.pending.get(&key).copied(),
            owner,
            now,
        )?;
        self.pending.remove(&key);
        Ok(())
    }

    fn reserve(
        &mut self,
        wanted: &Reservation,
        context: &CheckContext<'_>,
    ) -> Result<Outcome, Refusal> {
        let owner = self.user(&wanted.owner).ok_or(Refusal::Missing)?;
        let now = context.now();
        let known = self.expiries.get(&owner).cloned().unwrap_or_default();
        let mut expiries: Vec<i64> = known
            .into_iter()
            .filter(|at| *at > now.as_millis())
            .collect();
        if expiries.len() >= MAX_PENDING {
            let first = expiries.iter().min().copied().unwrap_or_default();
            return Err(Refusal::TooManyPending(Timestamp::from_millis(first)));
        }
        let expires = now.plus(UNUSED_FOR);
        expiries.push(expires.as_millis());
        self.expiries.put(owner, expiries);
        let pending = Pending {
            pos: context.pos().get(),
            owner,
            expires_at: expires.as_millis(),
        };
        self.pending.put(wanted.id.as_str().to_owned(), pending);
        Ok(Outcome::Reserved(expires))
    }

    fn add_thumbnail(&mut self, rendition: &Rendition) -> Result<Outcome, Refusal> {
        let id = rendition.of.as_str().to_owned();
        if self.files.get(&id).is_none() {
            return Err(Refusal::Missing);
        }
        let key = (id, rendition.size);
        if self.thumbnails.get(&key).is_some() {
            return Ok(Outcome::MadeBefore);
        }
        self.thumbnails.put(key, ());
        Ok(Outcome::Done)
    }

    /// What another change of the batch has forgotten before is not counted twice.
    fn forget(&mut self, expired: &Expired) -> Outcome {
        let Some(owner) = self.user(&expired.owner) else {
            return Outcome::Forgotten(0);
        };
        let key = (owner, expired.stored_before.as_millis());
        let mut usage = self.usage.get(&owner).copied().unwrap_or_default();
        let mut count = 0;
        for (id, size_bytes) in self.expired.get(&key).into_iter().flatten() {
            if self.files.get(id).is_some() {
                self.files.remove(id);
                usage = usage.without(*size_bytes);
                count += 1;
            }
        }
        if count > 0 {
            self.usage.put(owner, usage);
        }
        Outcome::Forgotten(count)
    }

    pub(crate) fn settle(&mut self, keep: bool) {
        self.rows.settle(keep);
        self.usage.settle(keep);
        self.pending.settle(keep);
        self.expiries.settle(keep);
        self.files.settle(keep);
        self.thumbnails.settle(keep);
    }
}

/// Whether a user may upload under an id that was given out before: asked before the first byte
/// is taken, and again under the log's lock.
pub(crate) fn judge(
    content_of: Option<i64>,
    pending: Option<Pending>,
    user: i64,
    now: Timestamp,
) -> Result<(), Refusal> {
    match (content_of, pending) {
        (Some(owner), _) if owner == user => Err(Refusal::HasContent),
        (Some(_), _) => Err(Refusal::NotOwner),
        (None, Some(pending)) if pending.expires_at <= now.as_millis() => Err(Refusal::Missing),
        (None, Some(pending)) if pending.owner != user => Err(Refusal::NotOwner),
        (None, Some(_)) => Ok(()),
        (None, None) => Err(Refusal::Missing),
    }
}
