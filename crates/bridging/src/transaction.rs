//! A transaction as a service is sent it ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/application-service-api/#put_matrixappv1transactionstxnid

use std::collections::{BTreeMap, BTreeSet};

use keys::ToldMessage;
use ruma::OwnedUserId;
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

/// What a device has left: how many one-time keys, by algorithm, and fallback keys that were never
/// given away.
pub(crate) struct KeysLeft {
    pub(crate) one_time: Map<String, Value>,
    pub(crate) unused_fallback: BTreeSet<String>,
}

/// What a transaction tells.
#[derive(Default)]
pub(crate) struct Content {
    /// How large the events and the messages are.
    told_bytes: usize,
    pub(crate) events: Vec<Box<RawValue>>,
    /// Receipts, typing and presence.
    pub(crate) ephemeral: Vec<Value>,
    pub(crate) to_device: Vec<Value>,
    /// Where these wait, to be removed once they were taken.
    pub(crate) messages: Vec<ToldMessage>,
    /// Whose devices or keys changed, or who came to share a room with the service.
    changed: BTreeSet<OwnedUserId>,
    /// Who shares none with it any longer.
    left: BTreeSet<OwnedUserId>,
    /// By user and device: which keys are left.
    pub(crate) keys: BTreeMap<(OwnedUserId, String), KeysLeft>,
}

/// The body. What was never in the specification has the names under which bridges know it.
#[derive(Serialize)]
struct Body<'a> {
    events: &'a [Box<RawValue>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ephemeral: &'a [Value],
    #[serde(
        rename = "de.sorunome.msc2409.ephemeral",
        skip_serializing_if = "<[_]>::is_empty"
    )]
    msc2409_ephemeral: &'a [Value],
    #[serde(
        rename = "de.sorunome.msc2409.to_device",
        skip_serializing_if = "<[_]>::is_empty"
    )]
    msc2409_to_device: &'a [Value],
    #[serde(
        rename = "org.matrix.msc3202.device_lists",
        skip_serializing_if = "Option::is_none"
    )]
    msc3202_device_lists: Option<DeviceLists<'a>>,
    #[serde(
        rename = "org.matrix.msc3202.device_one_time_keys_count",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    msc3202_device_one_time_keys_count: &'a ByDevice<&'a Map<String, Value>>,
    #[serde(
        rename = "org.matrix.msc3202.device_unused_fallback_key_types",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    msc3202_device_unused_fallback_key_types: &'a ByDevice<&'a BTreeSet<String>>,
}

/// By user and device.
type ByDevice<T> = BTreeMap<String, BTreeMap<String, T>>;

#[derive(Serialize)]
struct DeviceLists<'a> {
    changed: &'a BTreeSet<OwnedUserId>,
    left: &'a BTreeSet<OwnedUserId>,
}

impl Content {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.ephemeral.is_empty()
            && self.to_device.is_empty()
            && self.changed.is_empty()
            && self.left.is_empty()
    }

    /// How large it is, about.
    pub(crate) fn size_bytes(&self) -> usize {
        let rest = self.ephemeral.len() + self.changed.len() + self.left.len() + self.keys.len();
        self.told_bytes + 512 * rest
    }

    /// The service has to ask for somebody's keys again.
    pub(crate) fn ask_again(&mut self, user_id: OwnedUserId) {
        self.left.remove(&user_id);
        self.changed.insert(user_id);
    }

    /// The service needs to know nothing of somebody's keys any more.
    pub(crate) fn forget(&mut self, user_id: OwnedUserId) {
        self.changed.remove(&user_id);
        self.left.insert(user_id);
    }

    /// Adds an event.
    pub(crate) fn tell(&mut self, event: Box<RawValue>) {
        self.told_bytes += event.get().len();
        self.events.push(event);
    }

    /// Adds a message to a device, so large, and where it waits if it is the service's alone.
    pub(crate) fn pass_on(
        &mut self,
        event: Value,
        size_bytes: usize,
        message: Option<ToldMessage>,
    ) {
        self.told_bytes += size_bytes;
        self.to_device.push(event);
        self.messages.extend(message);
    }

    /// The body of the request.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let (mut counts, mut unused) = (ByDevice::new(), ByDevice::new());
        for ((user_id, device), left) in &self.keys {
            let place = || (user_id.to_string(), device.clone());
            let (user, name) = place();
            counts.entry(user).or_default().insert(name, &left.one_time);
            let (user, name) = place();
            unused
                .entry(user)
                .or_default()
                .insert(name, &left.unused_fallback);
        }
        let has_lists = !self.changed.is_empty() || !self.left.is_empty();
        let body = Body {
            events: &self.events,
            ephemeral: &self.ephemeral,
            msc2409_ephemeral: &self.ephemeral,
            msc2409_to_device: &self.to_device,
            msc3202_device_lists: has_lists.then_some(DeviceLists {
                changed: &self.changed,
                left: &self.left,
            }),
            msc3202_device_one_time_keys_count: &counts,
            msc3202_device_unused_fallback_key_types: &unused,
        };
        serde_json::to_vec(&body).expect("events, strings and numbers always serialise")
    }
}
