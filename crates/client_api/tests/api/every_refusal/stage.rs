//! The people and things that requests are about, under the names that the table has for them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::row::Who;
use crate::{
    appservices::{bot, service::Service},
    every_endpoint::files::PICTURE,
    previews::pages::Pages,
    server::{Node, User, password_of},
    stage::encoded,
};

/// A node with people, a room, and something of everything.
pub(super) struct Stage {
    pub(super) node: Node,
    /// A site whose pages are told of.
    pages: Pages,
    /// A bridge that is there, and its user.
    bridge: Service,
    bot: User,
    people: [User; 5],
    names: BTreeMap<&'static str, String>,
}

impl Stage {
    pub(super) async fn set(node: Node, bridge: Service) -> Self {
        let people = [
            node.join("owner").await,
            node.join("member").await,
            node.join("stranger").await,
            node.join("banned").await,
            node.administrator("administrator").await,
        ];
        let mut stage = Self {
            node,
            pages: Pages::open().await,
            bridge,
            bot: bot(),
            people,
            names: BTreeMap::new(),
        };
        stage.name_people();
        stage.furnish_bridge();
        stage.furnish_room().await;
        stage.furnish_delayed().await;
        stage.furnish_account().await;
        stage.furnish_dehydrated().await;
        stage.furnish_backups().await;
        stage.furnish_files().await;
        stage
    }

    pub(super) fn user(&self, who: Who) -> &User {
        match who {
            Who::Owner => &self.people[0],
            Who::Member => &self.people[1],
            Who::Stranger => &self.people[2],
            Who::Banned => &self.people[3],
            Who::Administrator => &self.people[4],
            Who::Service => &self.bot,
        }
    }

    pub(super) fn people(&self) -> &[User] {
        &self.people
    }

    /// What has a name.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    /// Replaces each `{name}`, and each `{x9}` by nine letters.
    pub(super) fn filled(&self, text: &str, who: Who) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let meant = after.split_once('}');
            let meant = meant.and_then(|(name, rest)| Some((self.meant(name, who)?, rest)));
            rest = match meant {
                Some((value, rest)) => {
                    filled.push_str(&value);
                    rest
                }
                None => {
                    filled.push('{');
                    after
                }
            };
        }
        filled + rest
    }

    fn meant(&self, name: &str, who: Who) -> Option<String> {
        if name == "user_id" {
            return Some(self.user(who).user_id.clone());
        }
        if let Some(count) = name.strip_prefix('x') {
            return count.parse().ok().map(|count| "x".repeat(count));
        }
        self.named(name).map(str::to_owned)
    }

    fn call(&mut self, name: &'static str, value: impl Into<String>) {
        self.names.insert(name, value.into());
    }

    fn name_people(&mut self) {
        let ids = [
            "owner_id",
            "member_id",
            "stranger_id",
            "banned_id",
            "administrator_id",
        ];
        for (index, name) in ids.into_iter().enumerate() {
            let id = self.people[index].user_id.clone();
            self.call(name, id);
        }
        let stranger = self.user(Who::Stranger).user_id.clone();
        self.call("other_id", stranger);
        self.call("auth", password_of("owner").to_string());
        self.call("auth_of_another", password_of("member").to_string());
        self.call("key", "A".repeat(43));
    }

    fn furnish_bridge(&mut self) {
        self.call("appservice_id", "irc");
        self.call("network_id", "libera");
        self.call("protocol", "irc");
        let protocol = json!({
            "user_fields": [], "location_fields": [], "icon": "", "field_types": {},
            "instances": [],
        });
        self.bridge
            .answers("thirdparty/protocol/irc", 200, protocol);
    }

    async fn furnish_room(&mut self) {
        let (owner, member) = (self.user(Who::Owner), self.user(Who::Member));
        let banned = self.user(Who::Banned);
        let body = json!({
            "preset": "private_chat",
            "room_alias_name": "plaza",
            "power_level_content_override": { "invite": 50, "events": { "x.sealed": 50 } },
        });
        let node = &self.node;
        let room = node.create(owner, body).await;
        node.on(owner, "invite", &room, member).await;
        node.go(member, "join", &room).await;
        node.on(owner, "ban", &room, banned).await;
        for key in ["", "rose"] {
            node.set(owner, &room, ("x.note", key), json!({ "n": 1 }))
                .await;
        }
        let event = node.say(owner, &room, "hello").await;
        node.read(member, &room, "m.read", &event, json!({})).await;
        let thread = json!({ "rel_type": "m.thread", "event_id": event });
        let answer = json!({ "msgtype": "m.text", "body": "hi", "m.relates_to": thread });
        let answer = node.send(member, &room, "m.room.message", answer).await;
        let following = format!(
            "/_matrix/client/unstable/io.element.msc4306/rooms/{room}/thread/{event}/subscription"
        );
        node.ok(&owner.token, "PUT", &following, json!({})).await;
        let elsewhere = node.create(owner, json!({})).await;
        let elsewhere = node.say(owner, &elsewhere, "alone").await;
        let since = node.get(owner, "sync").await["next_batch"].clone();
        for (name, value) in [
            ("room_id", room.as_str()),
            ("room_id_or_alias", &room),
            ("room_alias", "#plaza:localhost"),
            ("event_id", &event),
            ("thread_root", &event),
            ("answer", &answer),
            ("elsewhere", &elsewhere),
            ("event_type", "x.note"),
            ("state_key", "rose"),
            ("txn_id", "txn"),
            ("receipt_type", "m.read"),
            ("since", since.as_str().unwrap()),
        ] {
            self.call(name, value);
        }
    }

    async fn furnish_delayed(&mut self) {
        let owner = self.user(Who::Owner);
        let room = self.named("room_id").unwrap();
        let base = "/_matrix/client/unstable/org.matrix.msc4140";
        let mut delay_ids = Vec::new();
        for txn_id in ["later", "never"] {
            let path = format!("{base}/rooms/{room}/delayed_event/x.note/{txn_id}");
            let body = json!({ "delay": 80_000_000, "content": { "n": 1 } });
            let made = self.node.ok(&owner.token, "PUT", &path, body).await;
            delay_ids.push(made["delay_id"].as_str().unwrap().to_owned());
        }
        let path = format!("{base}/delayed_events/{}/cancel", delay_ids[1]);
        self.node.ok("", "POST", &path, json!({})).await;
        self.call("cancelled_id", delay_ids.remove(1));
        self.call("delay_id", delay_ids.remove(0));
    }

    async fn furnish_account(&mut self) {
        let owner = self.user(Who::Owner);
        let room = self.named("room_id").unwrap();
        let own = format!("user/{}", owner.user_id);
        let node = &self.node;
        for (method, path, body) in [
            (
                "PUT",
                "pushrules/global/content/lunch",
                json!({"pattern": "lunch", "actions": []}),
            ),
            (
                "PUT",
                &format!("profile/{}/displayname", owner.user_id),
                json!({"displayname": "O"}),
            ),
            (
                "PUT",
                &format!("{own}/rooms/{room}/tags/u.work"),
                json!({"order": 0.5}),
            ),
            (
                "POST",
                "keys/upload",
                json!({"one_time_keys": {"signed_curve25519:A": {"key": "AAAA", "signatures": {}}}}),
            ),
        ] {
            node.call(owner, method, path, body).await;
        }
        node.keep(owner, None, "x.note", json!({ "n": 1 })).await;
        node.keep(owner, Some(room), "x.note", json!({ "n": 1 }))
            .await;
        let filter = format!("{own}/filter");
        let filter = node.call(owner, "POST", &filter, json!({})).await;
        let filter = filter["filter_id"].as_str().unwrap().to_owned();
        let path = "/_synapse/admin/v1/register";
        let nonce = node.ok("", "GET", path, Value::Null).await["nonce"].clone();
        for (name, value) in [
            ("device_id", "PHONE"),
            ("kind", "content"),
            ("rule_id", "lunch"),
            ("field", "displayname"),
            ("tag", "u.work"),
            ("filter_id", filter.as_str()),
            ("nonce", nonce.as_str().unwrap()),
        ] {
            self.call(name, value);
        }
    }

    async fn furnish_dehydrated(&mut self) {
        let owner = self.user(Who::Owner);
        let body = json!({
            "device_id": "ASLEEP",
            "device_data": { "algorithm": "org.matrix.msc3814.v2", "device_pickle": "a", "nonce": "b" },
            "device_keys": {
                "user_id": owner.user_id, "device_id": "ASLEEP", "algorithms": [],
                "keys": { "ed25519:ASLEEP": "a", "curve25519:ASLEEP": "b" },
                "signatures": { &owner.user_id: { "ed25519:ASLEEP": "c" } },
                "dehydrated": true,
            },
        });
        let path = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
        self.node.ok(&owner.token, "PUT", path, body).await;
    }

    async fn furnish_backups(&mut self) {
        let owner = self.user(Who::Owner);
        let version = json!({
            "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
            "auth_data": { "public_key": "YWJj", "signatures": {} },
        });
        for _ in ["1", "2"] {
            let made = self
                .node
                .call(owner, "POST", "room_keys/version", version.clone());
            made.await;
        }
        let key = json!({
            "first_message_index": 0, "forwarded_count": 0, "is_verified": false,
            "session_data": { "ephemeral": "YQ", "ciphertext": "Yg", "mac": "Yw" },
        });
        let room = self.named("room_id").unwrap();
        let path = format!("room_keys/keys/{room}/s?version=2");
        self.node.call(owner, "PUT", &path, key).await;
        let token = format!("user/{}/openid/request_token", owner.user_id);
        let token = self.node.call(owner, "POST", &token, json!({})).await;
        let token = token["access_token"].as_str().unwrap().to_owned();
        self.call("openid", token);
        self.call("version", "2");
        self.call("session_id", "s");
    }

    async fn furnish_files(&mut self) {
        let owner = self.user(Who::Owner);
        let node = &self.node;
        let path = "/_matrix/media/v3/upload";
        let file = node.ok(&owner.token, "POST", path, json!({"minutes": []}));
        let file = media_id(&file.await);
        let (status, picture) = node.ask(&owner.token, "POST", path, PICTURE).await;
        assert_eq!(status, 200, "{picture}");
        let picture = media_id(&picture);
        let page = encoded(&self.pages.url("/minutes"));
        let path = "/_matrix/media/v1/create";
        let pending = node.ok(&owner.token, "POST", path, Value::Null).await;
        let pending = media_id(&pending);
        for (name, value) in [
            ("server_name", "localhost"),
            ("media_id", file.as_str()),
            ("picture", &picture),
            ("page", &page),
            ("pending", &pending),
            ("filename", "minutes.json"),
        ] {
            self.call(name, value);
        }
    }
}

fn media_id(answer: &Value) -> String {
    let address = answer["content_uri"].as_str().unwrap();
    address.rsplit('/').next().unwrap().to_owned()
}
