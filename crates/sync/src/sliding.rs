//! Simplified sliding sync (MSC4186): a window onto the user's rooms, and what changed in it.
//!
//! A second view over the readers of `/v3/sync`. What a client has been told of is kept for each of
//! its connections, so that a room is told once in full and then by what changed.

mod answer;
mod connections;
mod extensions;
mod known;
mod position;
mod request;
mod required_state;
mod response;
mod room;
mod view;

use store::{Migration, Migrations, StoreError};

pub(crate) use self::connections::Connections;
use self::{answer::Asked, known::Known};
pub use self::{
    position::Position,
    request::{SlidingRefusal, SlidingRequest},
    response::SlidingResponse,
};
use crate::{Sync, SyncError, SyncToken, Syncer, sync::LONGEST_WAIT};

/// The tables of sync.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "sync",
    steps: &[Migration {
        number: 1,
        name: "sliding_connections",
        sql: include_str!("../migrations/0001_sliding_connections.sql"),
    }],
};

/// Why a sliding sync is not answered.
#[derive(Debug, thiserror::Error)]
pub enum SlidingError {
    /// The position is not one of this connection, or no longer: the client starts again.
    #[error("this position of the connection is not known")]
    UnknownPosition,
    /// As any sync.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

impl From<StoreError> for SlidingError {
    fn from(error: StoreError) -> Self {
        SyncError::from(error).into()
    }
}

/// Where a connection goes on from.
struct Resumed {
    generation: i64,
    token: SyncToken,
    known: std::sync::Arc<Known>,
}

impl Sync {
    /// Answers a sliding sync: at once when there is news or the connection is new, else when
    /// there is some, or time is up.
    pub async fn sliding(
        &self,
        syncer: Syncer<'_>,
        request: &SlidingRequest,
    ) -> Result<SlidingResponse, SlidingError> {
        let inner = &self.inner;
        let resumed = Box::pin(self.resume(syncer, request)).await?;
        if let Some(proof) = request.extensions.to_device_proof() {
            Box::pin(inner.acknowledge(syncer, proof)).await?;
        }
        let deadline = inner.clock.sleep(request.timeout.min(LONGEST_WAIT));
        tokio::pin!(deadline);
        let mut time_is_up = resumed.is_none() || request.timeout.is_zero();
        let mut waiter = inner.wakers.register(syncer.user);
        // As in `sync`: who comes from another node is told all typing, which alone is no news.
        let began = inner.ephemeral.now();
        let ephemeral = resumed.as_ref().map(|resumed| resumed.token.ephemeral);
        let is_foreign = ephemeral.is_some_and(|since| !inner.ephemeral.has_counted(since));
        loop {
            let since = resumed.as_ref().map(|resumed| match is_foreign {
                true if !time_is_up => SyncToken {
                    ephemeral: began,
                    ..resumed.token
                },
                _ => resumed.token,
            });
            let asked = Asked {
                inner,
                syncer,
                request,
                since,
                known: resumed.as_ref().map(|resumed| &*resumed.known),
            };
            let turn = Box::pin(asked.turn()).await?;
            match (time_is_up, turn.response.is_empty()) {
                (false, true) => {}
                (false, false) if is_foreign => {
                    time_is_up = true;
                    continue;
                }
                _ => return Box::pin(self.keep(syncer, request, resumed, turn)).await,
            }
            let (joined, head) = (turn.joined, turn.head);
            drop(turn.response);
            waiter.follow(joined, head);
            tokio::select! {
                () = waiter.woken() => {}
                () = &mut deadline => time_is_up = true,
            }
        }
    }

    /// What the client's position says it knows; nothing for a connection that begins.
    async fn resume(
        &self,
        syncer: Syncer<'_>,
        request: &SlidingRequest,
    ) -> Result<Option<Resumed>, SlidingError> {
        let Some(text) = &request.position else {
            return Ok(None);
        };
        let unknown = || SlidingError::UnknownPosition;
        let Position { generation, token } = text.parse().map_err(|_| unknown())?;
        let inner = &self.inner;
        inner.log.barrier().await?;
        let snapshot = inner.log.database().snapshot().await?;
        if token.epoch != snapshot.epoch() || token.pos > snapshot.head().get() {
            return Err(unknown());
        }
        let name = (syncer, &*request.connection);
        let known = inner.connections.read(&snapshot, name, generation).await?;
        Ok(Some(Resumed {
            generation,
            token,
            known: known.ok_or_else(unknown)?,
        }))
    }

    /// Keeps what the client will know once it has the answer, unless that is what it knew.
    async fn keep(
        &self,
        syncer: Syncer<'_>,
        request: &SlidingRequest,
        resumed: Option<Resumed>,
        turn: answer::SlidingTurn,
    ) -> Result<SlidingResponse, SlidingError> {
        let inner = &self.inner;
        let answer::SlidingTurn {
            mut response,
            token,
            known,
            ..
        } = turn;
        let generation = match resumed {
            Some(resumed) if *resumed.known == known => resumed.generation,
            resumed => {
                let before = resumed.map(|resumed| resumed.generation);
                let name = (syncer, &*request.connection);
                let now = inner.clock.now();
                inner
                    .connections
                    .write(&inner.log, name, before, known, now)
                    .await?
            }
        };
        response.pos = Position { generation, token }.to_string();
        Ok(response)
    }
}
