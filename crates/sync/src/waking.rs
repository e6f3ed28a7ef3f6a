//! From a committed batch to those who wait for what it touched.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bus::{Bus, Signal};
use keys::Keys;
use rooms::Rooms;
use store::{Batch, Log, StoreError};
use tokio::sync::broadcast::error::RecvError;

use crate::wakers::Wakers;

/// How long waiting syncs are kept from reading by themselves what is read for all of them.
const READ_WITHIN: Duration = Duration::from_millis(500);

/// Rings for every batch; whoever falls behind rings for everybody.
pub(crate) fn follow(log: &Log, wakers: &Arc<Wakers>, rooms: &Rooms) {
    let mut batches = log.subscribe();
    let (wakers, rooms) = (Arc::clone(wakers), rooms.clone());
    tokio::spawn(async move {
        loop {
            match batches.recv().await {
                Ok(batch) => {
                    let touched = &batch.touched;
                    let devices = touched.devices().map(|(user, _)| user);
                    let users = touched.users().chain(devices);
                    read_added(&wakers, &rooms, &batch).await;
                    wakers.wake(batch.last_pos, users, touched.rooms());
                    if batch.touched.has_kind(Keys::IDENTITY_KIND) {
                        wake_acquaintances(&wakers, &rooms, &batch).await;
                    }
                }
                Err(RecvError::Lagged(_)) => wakers.wake_all(),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Reads what another node said where somebody waits, before all of them ask for it.
async fn read_added(wakers: &Wakers, rooms: &Rooms, batch: &Batch) {
    let reading = rooms.read_added(batch, |room| wakers.is_waited_for(room));
    match tokio::time::timeout(READ_WITHIN, reading).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "what was added to rooms could not be read for all at once"
            );
        }
    }
}

/// Lets other nodes look at the log now instead of within half a second, whenever this node has
/// committed. What others committed they have announced themselves.
pub(crate) fn announce(log: &Log, bus: &Bus) {
    let (mut committed, bus) = (log.committed(), bus.clone());
    tokio::spawn(async move {
        while committed.changed().await.is_ok() {
            bus.publish(Signal::Poke);
        }
    });
}

/// Whose keys changed is news to everybody who shares a room with them.
async fn wake_acquaintances(wakers: &Wakers, rooms: &Rooms, batch: &Batch) {
    let acquaintances = async {
        let snapshot = rooms.snapshot().await?;
        let mut all = BTreeSet::new();
        for user in batch.touched.users() {
            all.extend(rooms.sharing_users(&snapshot, user).await?);
        }
        Ok::<_, StoreError>(all)
    };
    match acquaintances.await {
        Ok(users) => wakers.wake_users(users),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "who shares rooms could not be read; everybody looks again"
            );
            wakers.wake_all();
        }
    }
}
