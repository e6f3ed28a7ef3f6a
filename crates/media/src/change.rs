//! What changes the tables of files, and why a change is refused.

use std::sync::Arc;

use blobs::BlobId;
use model::time::Timestamp;
use ruma::OwnedUserId;
use seal::FileKey;

use crate::{MediaId, thumbnail::Size};

/// A change of what is stored.
pub(crate) enum Change {
    /// Adds a file.
    Add(Uploaded),
    /// Gives out an id before its content.
    Reserve(Reservation),
    /// Adds a thumbnail of a file.
    Thumbnail(Rendition),
    /// Forgets the oldest files of an owner whose files are kept for a time only.
    Forget(Expired),
    /// Forgets what nobody can use any more.
    Tidy {
        /// Ids that expired before this go.
        expired_before: Timestamp,
    },
}

/// Files that are to be forgotten, as many of them as one change may take.
pub(crate) struct Expired {
    pub(crate) owner: OwnedUserId,
    /// What was stored before this goes.
    pub(crate) stored_before: Timestamp,
}

/// A file whose blob is durable.
pub(crate) struct Uploaded {
    pub(crate) id: MediaId,
    pub(crate) owner: OwnedUserId,
    /// Whether the id was given out before.
    pub(crate) is_reserved: bool,
    pub(crate) blob: BlobId,
    pub(crate) size_bytes: u64,
    pub(crate) key: FileKey,
    pub(crate) content_type: Option<String>,
    pub(crate) file_name: Option<String>,
    /// How much its owner may have together with it.
    pub(crate) quota_bytes: u64,
}

/// An id that is wanted before its content.
pub(crate) struct Reservation {
    pub(crate) id: MediaId,
    pub(crate) owner: OwnedUserId,
}

/// A thumbnail whose blob is durable.
pub(crate) struct Rendition {
    pub(crate) of: MediaId,
    /// The owner of the file, under whose key the thumbnail's is sealed.
    pub(crate) owner: i64,
    pub(crate) size: Size,
    pub(crate) blob: BlobId,
    pub(crate) size_bytes: u64,
    pub(crate) key: FileKey,
    pub(crate) content_type: &'static str,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands.
    Done,
    /// The id may be used until then.
    Reserved(Timestamp),
    /// Another node, or another request, made the same thumbnail before.
    MadeBefore,
    /// So many files are forgotten.
    Forgotten(u64),
}

/// Why a change is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such id was given out, or it has expired, or the file is gone.
    Missing,
    /// The id was given to somebody else.
    NotOwner,
    /// The id has content already.
    HasContent,
    /// The user would have more than they may.
    QuotaReached,
    /// The user has as many unused ids as they may, until then.
    TooManyPending(Timestamp),
}

impl Change {
    /// Whoever it belongs to, when they have yet to be interned.
    pub(crate) fn owner(&self) -> Option<&OwnedUserId> {
        match self {
            Self::Add(file) => Some(&file.owner),
            Self::Reserve(wanted) => Some(&wanted.owner),
            Self::Forget(expired) => Some(&expired.owner),
            Self::Thumbnail(_) | Self::Tidy { .. } => None,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Add(file) => 512 + text(&file.content_type) + text(&file.file_name),
            Self::Thumbnail(_) => 512,
            Self::Reserve(_) | Self::Forget(_) | Self::Tidy { .. } => 128,
        }
    }
}

/// A change with its place in the log.
pub(crate) struct Placed {
    pub(crate) change: Arc<Change>,
    pub(crate) pos: i64,
    pub(crate) at: i64,
}
