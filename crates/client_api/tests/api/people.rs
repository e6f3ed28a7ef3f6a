//! People among each other: who finds whom, whom one ignores, and what administrators may do.

pub(crate) mod contacts;
mod ignoring;
mod inviting;
mod mutual_rooms;
mod openid;
mod reporting;
mod searching;
mod standing;

use std::sync::Arc;

use accounts::By;
use audit::{Act, Content, Outcome, Page, Record, Target};
use ruma::UserId;
use seal::{Keyring, MasterKey};
use store::Location;
use testkit::entropy::SeededEntropy;

use crate::{
    deployment::Deployment,
    server::{Node, User},
    stage::count,
};

/// Those who read the record draw other randomness than nodes.
const READERS: u64 = 5_000_000;

impl Deployment {
    /// Whether nodes can only follow each other.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.location, Location::Sqlite(_))
    }

    /// The newest acts on record: each with what it was done to and, if it was refused, why.
    pub(crate) async fn acts(&self, node: &Node, limit: u32) -> Vec<(Act, Target, Option<String>)> {
        let records = self.records(node, limit).await.into_iter();
        let told = records.map(|record| {
            let reason = match record.outcome() {
                Outcome::Done => None,
                Outcome::Refused { reason } => Some(reason.clone()),
            };
            (record.act(), record.target().clone(), reason)
        });
        told.collect()
    }

    /// The newest records.
    pub(crate) async fn records(&self, node: &Node, limit: u32) -> Vec<Record> {
        let database = node.parts.log.database();
        let entropy = Arc::new(SeededEntropy::new(READERS + count()));
        let master = MasterKey::unlock(&self.key, &self.location, &*entropy);
        let master = master.await.unwrap();
        let keyring = Keyring::unlock(database, master, entropy, Arc::new(self.clock.clone()));
        let keyring = keyring.await.unwrap();
        let snapshot = database.snapshot().await.unwrap();
        let page = Page {
            before: None,
            limit,
        };
        let entries = audit::list(&snapshot, &keyring, page).await.unwrap();
        let records = entries.into_iter().map(|entry| match entry.content {
            Content::Recorded(record) => record,
            other => panic!("{other:?}"),
        });
        records.map(|record| *record).collect()
    }
}

impl Node {
    /// Registers an administrator whose name begins like this.
    pub(crate) async fn administrator(&self, name: &str) -> User {
        let user = self.someone(name).await;
        let id = <&UserId>::try_from(user.user_id.as_str()).unwrap();
        let accounts = &self.parts.accounts;
        let made = accounts.set_admin(id, true, By::command_line());
        made.await.unwrap();
        user
    }

    /// Asks for something of the client-server API that must be refused.
    async fn refuses(&self, user: &User, method: &str, path: &str, body: &str) -> (u16, String) {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/_matrix/client/v3/{path}"),
        };
        self.refused(&user.token, method, &path, body).await
    }
}

/// What a refusal is expected to be.
fn refusal(status: u16, errcode: &str) -> (u16, String) {
    (status, errcode.to_owned())
}
