//! How an owner takes part in a batch.

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use model::time::Timestamp;
use serde_json::Value;

use super::{Pos, Touched};
use crate::{StoreError, Tx, Writes};

/// An owner's part in a batch, for one kind of change.
///
/// A batch runs under the log's lock: all appliers `prepare`, then each intent's changes are
/// checked in the order of the queue, then all appliers `write`, then the batch commits.
#[async_trait]
pub trait Applier: Send + Sync + 'static {
    /// What is asked for. It is kept until the batch has committed: an attempt may be repeated.
    type Change: Send + Sync + 'static;
    /// What the caller learns when it is done.
    type Outcome: Send + 'static;
    /// Why it is not done.
    type Refusal: Send + Sync + 'static;
    /// What one attempt at a batch knows: what was read, what is staged, what will be written.
    type Work: Send + 'static;

    /// The name in `log.touched`.
    const KIND: &'static str;

    /// About how much memory and log a change takes, in bytes.
    fn size_bytes(change: &Self::Change) -> usize {
        let _ = change;
        256
    }

    /// Reads, under the lock, whatever the checks depend on.
    ///
    /// Appliers prepare at the same time on one connection: statements of different appliers
    /// may interleave. It may write what the checks need to exist (interned ids, data keys).
    async fn prepare(&self, tx: &Tx, changes: &[&Self::Change]) -> Result<Self::Work, StoreError>;

    /// Checks one change against the work, including what stands before it in the batch,
    /// and stages it.
    ///
    /// # Errors
    ///
    /// A refusal undoes the whole intent.
    fn check(
        &self,
        work: &mut Self::Work,
        change: &Self::Change,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<Self::Outcome>, Self::Refusal>;

    /// Ends an intent: keeps what its changes staged, or undoes it.
    fn settle(&self, work: &mut Self::Work, keep: bool);

    /// Says what is to be written for what was kept, with statements for many rows.
    ///
    /// They run in the order in which they are added, behind those of the appliers before.
    fn write(&self, work: &mut Self::Work, writes: &mut Writes) -> Result<(), StoreError>;

    /// The batch is durable, and nothing else has committed since `last_pos`: the caches may
    /// take what it made.
    fn committed(&self, work: Self::Work, last_pos: Pos) {
        drop((work, last_pos));
    }

    /// What other nodes may take from the log's row instead of forgetting it: small, and in clear.
    /// Asked before `write`, and only where there may be other nodes.
    fn tell(&self, work: &Self::Work, touched: &Touched) -> Option<Value> {
        let _ = (work, touched);
        None
    }

    /// Another node's batch (or a batch of this node that a later one has overtaken) changed
    /// things: the caches forget them, or follow as far as they were [told](Touched::told).
    fn forget(&self, touched: &Touched, last_pos: Pos) {
        let _ = (touched, last_pos);
    }

    /// A change of a kind that this program does not know: all caches forget everything.
    fn forget_all(&self, last_pos: Pos) {
        let _ = last_pos;
    }
}

/// What a check decided.
#[derive(Debug)]
pub enum Verdict<O> {
    /// The change stands; it takes the position that the context showed.
    Apply(O),
    /// There is nothing to do for this change; the rest of the intent goes on.
    Nothing(O),
    /// All of the intent was done before (a retry): nothing of it is done again.
    Already(O),
}

impl<O> Verdict<O> {
    pub(crate) fn map<P>(self, then: impl FnOnce(O) -> P) -> Verdict<P> {
        match self {
            Self::Apply(outcome) => Verdict::Apply(then(outcome)),
            Self::Nothing(outcome) => Verdict::Nothing(then(outcome)),
            Self::Already(outcome) => Verdict::Already(then(outcome)),
        }
    }
}

/// What a check may know, and where it tells what it touches.
pub struct CheckContext<'a> {
    pub(crate) pos: Pos,
    pub(crate) at: Timestamp,
    pub(crate) touched: &'a mut Touched,
}

impl CheckContext<'_> {
    /// The position that this change takes if its whole intent stands.
    pub fn pos(&self) -> Pos {
        self.pos
    }

    /// The time of the batch.
    pub fn now(&self) -> Timestamp {
        self.at
    }

    /// Tells caches and syncs that a room changed.
    pub fn touch_room(&mut self, room: i64) {
        self.touched.add_room(room);
    }

    /// Tells caches and syncs that a user changed.
    pub fn touch_user(&mut self, user: i64) {
        self.touched.add_user(user);
    }

    /// Tells caches and syncs that a device changed, or has something waiting.
    pub fn touch_device(&mut self, user: i64, device: &str) {
        self.touched.add_device(user, device);
    }
}

pub(crate) type AnyWork = Box<dyn Any + Send>;
pub(crate) type AnyOutcome = Box<dyn Any + Send>;
pub(crate) type AnyRefusal = Box<dyn Any + Send + Sync>;

/// An applier whose types are known only to itself.
#[async_trait]
pub(crate) trait ErasedApplier: Send + Sync {
    fn kind(&self) -> &'static str;
    async fn prepare(
        &self,
        tx: &Tx,
        changes: &[&(dyn Any + Send + Sync)],
    ) -> Result<AnyWork, StoreError>;
    fn check(
        &self,
        work: &mut AnyWork,
        change: &(dyn Any + Send + Sync),
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<AnyOutcome>, AnyRefusal>;
    fn settle(&self, work: &mut AnyWork, keep: bool);
    fn write(&self, work: &mut AnyWork, writes: &mut Writes) -> Result<(), StoreError>;
    fn committed(&self, work: AnyWork, last_pos: Pos);
    fn tell(&self, work: &AnyWork, touched: &Touched) -> Option<Value>;
    fn forget(&self, touched: &Touched, last_pos: Pos);
    fn forget_all(&self, last_pos: Pos);
}

pub(crate) struct Registered<A>(pub(crate) Arc<A>);

const OWN: &str = "an applier is given its own types back";

#[async_trait]
impl<A: Applier> ErasedApplier for Registered<A> {
    fn kind(&self) -> &'static str {
        A::KIND
    }

    async fn prepare(
        &self,
        tx: &Tx,
        changes: &[&(dyn Any + Send + Sync)],
    ) -> Result<AnyWork, StoreError> {
        let changes: Vec<&A::Change> = changes
            .iter()
            .map(|change| change.downcast_ref().expect(OWN))
            .collect();
        Ok(Box::new(self.0.prepare(tx, &changes).await?))
    }

    fn check(
        &self,
        work: &mut AnyWork,
        change: &(dyn Any + Send + Sync),
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<AnyOutcome>, AnyRefusal> {
        let work = work.downcast_mut().expect(OWN);
        match self
            .0
            .check(work, change.downcast_ref().expect(OWN), context)
        {
            Ok(verdict) => Ok(verdict.map(|outcome| Box::new(outcome) as AnyOutcome)),
            Err(refusal) => Err(Box::new(refusal)),
        }
    }

    fn settle(&self, work: &mut AnyWork, keep: bool) {
        self.0.settle(work.downcast_mut().expect(OWN), keep);
    }

    fn write(&self, work: &mut AnyWork, writes: &mut Writes) -> Result<(), StoreError> {
        self.0.write(work.downcast_mut().expect(OWN), writes)
    }

    fn committed(&self, work: AnyWork, last_pos: Pos) {
        self.0.committed(*work.downcast().expect(OWN), last_pos);
    }

    fn tell(&self, work: &AnyWork, touched: &Touched) -> Option<Value> {
        self.0.tell(work.downcast_ref().expect(OWN), touched)
    }

    fn forget(&self, touched: &Touched, last_pos: Pos) {
        self.0.forget(touched, last_pos);
    }

    fn forget_all(&self, last_pos: Pos) {
        self.0.forget_all(last_pos);
    }
}
