//! What a batch touched: enough for every cache and every waiting sync to know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StoreError;

/// The kinds of change in a batch, the rooms, users and devices they changed, and what other nodes
/// are told of it beyond that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    #[serde(rename = "k", default, skip_serializing_if = "BTreeSet::is_empty")]
    kinds: BTreeSet<String>,
    #[serde(rename = "r", default, skip_serializing_if = "BTreeSet::is_empty")]
    rooms: BTreeSet<i64>,
    #[serde(rename = "u", default, skip_serializing_if = "BTreeSet::is_empty")]
    users: BTreeSet<i64>,
    #[serde(rename = "d", default, skip_serializing_if = "BTreeSet::is_empty")]
    devices: BTreeSet<(i64, String)>,
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<String, Value>,
}

impl Touched {
    /// The kinds of change.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(String::as_str)
    }

    /// Whether a kind of change is among them.
    pub fn has_kind(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }

    /// The rooms.
    pub fn rooms(&self) -> impl Iterator<Item = i64> {
        self.rooms.iter().copied()
    }

    /// The users.
    pub fn users(&self) -> impl Iterator<Item = i64> {
        self.users.iter().copied()
    }

    /// The devices: a user and a device id.
    pub fn devices(&self) -> impl Iterator<Item = (i64, &str)> {
        self.devices
            .iter()
            .map(|(user, device)| (*user, device.as_str()))
    }

    /// What the applier of a kind told those of other nodes.
    pub fn told(&self, kind: &str) -> Option<&Value> {
        self.told.get(kind)
    }

    pub(crate) fn tell(&mut self, kind: &str, told: Value) {
        self.told.insert(kind.to_owned(), told);
    }

    pub(crate) fn add_kind(&mut self, kind: &str) {
        if !self.kinds.contains(kind) {
            self.kinds.insert(kind.to_owned());
        }
    }

    pub(crate) fn add_room(&mut self, room: i64) {
        self.rooms.insert(room);
    }

    pub(crate) fn add_user(&mut self, user: i64) {
        self.users.insert(user);
    }

    pub(crate) fn add_device(&mut self, user: i64, device: &str) {
        self.devices.insert((user, device.to_owned()));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.kinds.extend(other.kinds);
        self.rooms.extend(other.rooms);
        self.users.extend(other.users);
        self.devices.extend(other.devices);
        self.told.extend(other.told);
    }

    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self).expect("sets of integers and strings always serialise")
    }

    pub(crate) fn decode(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text)
            .map_err(|error| StoreError::Damaged(format!("log.touched: {error}")))
    }
}
