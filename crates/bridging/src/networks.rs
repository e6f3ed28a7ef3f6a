//! What services know of other networks ([spec]): protocols, and who and what is there.
//!
//! [spec]: https://spec.matrix.org/v1.19/application-service-api/#third-party-networks

use std::collections::BTreeMap;

use appservices::Appservice;
use futures_util::future::join_all;
use ruma::{RoomAliasId, UserId};
use serde_json::Value;

use crate::{Bridging, sending::address};

/// The most that one service may tell of in one answer.
const MOST_TOLD: usize = 1_000;

/// A network of a service, as one among those of all services.
pub fn instance_id(appservice: &str, network: &str) -> String {
    format!("{appservice}|{network}")
}

impl Bridging {
    /// What is known of every protocol that a service speaks.
    pub async fn protocols(&self) -> BTreeMap<String, Value> {
        let services = self.inner.appservices().iter();
        let names = services.flat_map(Appservice::protocols);
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        let asking = names.iter().map(|name| self.protocol(name));
        let answers = names.iter().zip(join_all(asking).await);
        let known = answers.filter_map(|(name, known)| Some(((*name).to_owned(), known?)));
        known.collect()
    }

    /// What is known of a protocol: the first service that speaks it tells what it is, and each of
    /// them which networks it has.
    pub async fn protocol(&self, name: &str) -> Option<Value> {
        let speaking = self.speaking(name);
        let asking = speaking.iter().map(|service| async move {
            let url = address(service, &["thirdparty", "protocol", name])?;
            self.inner.question(service, &url).await
        });
        let mut known: Option<Value> = None;
        for (service, answer) in speaking.iter().zip(join_all(asking).await) {
            let Some(mut protocol) = answer.filter(Value::is_object) else {
                continue;
            };
            let instances = instances(service, &mut protocol);
            match &mut known {
                None => {
                    protocol["instances"] = instances.into();
                    known = Some(protocol);
                }
                Some(known) => {
                    if let Some(all) = known["instances"].as_array_mut() {
                        all.extend(instances);
                    }
                }
            }
        }
        known
    }

    /// Whether any service speaks a protocol.
    pub fn speaks(&self, name: &str) -> bool {
        !self.speaking(name).is_empty()
    }

    /// Places of a protocol that fit some fields.
    pub async fn locations(&self, protocol: &str, fields: &BTreeMap<String, String>) -> Vec<Value> {
        let path = ["thirdparty", "location", protocol];
        self.all_told(self.speaking(protocol), &path, fields).await
    }

    /// Places that stand behind an alias.
    pub async fn locations_of(&self, alias: &RoomAliasId) -> Vec<Value> {
        let services = self.inner.appservices().iter();
        let claiming = services.filter(|service| service.claims_alias(alias));
        let fields = BTreeMap::from([("alias".to_owned(), alias.to_string())]);
        let path = ["thirdparty", "location"];
        self.all_told(claiming.collect(), &path, &fields).await
    }

    /// People of a protocol who fit some fields.
    pub async fn users(&self, protocol: &str, fields: &BTreeMap<String, String>) -> Vec<Value> {
        let path = ["thirdparty", "user", protocol];
        self.all_told(self.speaking(protocol), &path, fields).await
    }

    /// People who stand behind a user.
    pub async fn users_of(&self, user_id: &UserId) -> Vec<Value> {
        let services = self.inner.appservices().iter();
        let claiming = services.filter(|service| service.acts_for(user_id));
        let fields = BTreeMap::from([("userid".to_owned(), user_id.to_string())]);
        let path = ["thirdparty", "user"];
        self.all_told(claiming.collect(), &path, &fields).await
    }

    fn speaking(&self, name: &str) -> Vec<&Appservice> {
        let services = self.inner.appservices().iter();
        let speaking = services.filter(|service| service.protocols().any(|known| known == name));
        speaking.collect()
    }

    /// What all of some services tell.
    async fn all_told(
        &self,
        services: Vec<&Appservice>,
        path: &[&str],
        fields: &BTreeMap<String, String>,
    ) -> Vec<Value> {
        let asking = services.into_iter().map(|service| async move {
            let mut url = address(service, path)?;
            if !fields.is_empty() {
                url.query_pairs_mut().extend_pairs(fields);
            }
            self.inner.question(service, &url).await
        });
        let answers = join_all(asking).await.into_iter().flatten();
        let lists = answers.filter_map(|answer| match answer {
            Value::Array(told) => Some(told.into_iter().take(MOST_TOLD)),
            _ => None,
        });
        lists.flatten().collect()
    }
}

/// The networks that a service names, each with the id that it has here.
fn instances(service: &Appservice, protocol: &mut Value) -> Vec<Value> {
    let named = match protocol.get_mut("instances").map(Value::take) {
        Some(Value::Array(instances)) => instances,
        _ => Vec::new(),
    };
    let with_id = named
        .into_iter()
        .take(MOST_TOLD)
        .filter_map(|mut instance| {
            let network = instance.get("network_id")?.as_str()?.to_owned();
            instance["instance_id"] = instance_id(service.id(), &network).into();
            Some(instance)
        });
    with_id.collect()
}
