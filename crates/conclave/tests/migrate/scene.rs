//! What is in the middle of going on when a server stops and its deployment moves, and what must
//! be so afterwards.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{eventually_within, server::TestServer};

use crate::{
    acts::{say, sync, upload_keys},
    gateway::Gateway,
    places::{PASSWORD, printed, with_user},
    support::Client,
};

/// A gateway that was away is tried again within this.
const PATIENCE: Duration = Duration::from_secs(120);

const SLIDING: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0";

/// Two people with three devices in one room, each device as far as it has come.
pub(crate) struct Scene {
    alice: Client,
    tablet: Client,
    bob: Client,
    pub(crate) room: String,
    timeline: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
    gateway: Gateway,
    /// What bob's phone is to be told.
    letters: Vec<String>,
    since: String,
    pos: String,
    checkpoint: String,
}

impl Scene {
    /// Lets so many messages be said, and stops in the middle of everything.
    pub(crate) async fn play(server: &mut TestServer, messages: usize) -> Self {
        let gateway = Gateway::open().await;
        server.set("push.allow_private_addresses", "true");
        server.restart().await;
        let alice = with_user(server, "alice").await;
        let tablet = Client::sign_in(server.address(), "alice", PASSWORD).await;
        let bob = with_user(server, "bob").await;
        let body = json!({ "preset": "public_chat" });
        let made = alice.ask("POST", "/_matrix/client/v3/createRoom", &body);
        let room = made.await.unwrap()["room_id"].as_str().unwrap().to_owned();
        let join = format!("/_matrix/client/v3/join/{room}");
        bob.ask("POST", &join, &json!({})).await.unwrap();
        upload_keys(&alice).await;
        assert_eq!(claim(&bob, &alice).await, "ONE");
        let mut files = Vec::new();
        for size in [10, 100_000, 3_000_000] {
            let content: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
            files.push((alice.upload(&content).await.unwrap(), content));
        }
        for number in 0..messages {
            say(&alice, &room, &format!("message {number}")).await;
        }
        let path = alice.counter(7);
        let content = json!({ "count": 7 });
        alice.ask("PUT", &path, &content).await.unwrap();

        let since = sync(&alice, None).await["next_batch"].clone();
        let since = since.as_str().unwrap().to_owned();
        let pos = slide(&alice, None).await["pos"].clone();
        let pos = pos.as_str().unwrap().to_owned();
        // What alice's devices have not seen, and bob's phone could not be told.
        gateway.tell_of(&bob).await;
        let to_device = json!({ "messages": { &alice.user_id: { "*": { "body": "waits" } } } });
        let path = "/_matrix/client/v3/sendToDevice/org.example.note/t1";
        bob.ask("PUT", path, &to_device).await.unwrap();
        let mut letters = Vec::new();
        for body in ["unseen marvels", "unseen wonders"] {
            letters.push(say(&alice, &room, body).await);
        }
        eventually_within(PATIENCE, "the letters wait", || async {
            (waiting(server).await == letters.len()).then_some(())
        })
        .await;
        let timeline = alice.timeline(&room).await;
        let checkpoint = verify_audit(server, None).await;
        server.stop().await;
        Self {
            alice,
            tablet,
            bob,
            room,
            timeline,
            files,
            gateway,
            letters,
            since,
            pos,
            checkpoint,
        }
    }

    /// Everybody goes on at another place as if nothing had happened.
    pub(crate) async fn goes_on(&self, server: &TestServer) {
        let at = server.address();
        let (alice, bob) = (self.alice.at(at), self.bob.at(at));
        let tablet = self.tablet.at(at);
        assert_eq!(alice.timeline(&self.room).await, self.timeline);
        for (file, content) in &self.files {
            assert!(&bob.download(file).await.unwrap() == content, "{file}");
        }
        assert_eq!(alice.account_data(7).await, Some(7));
        self.syncs_go_on(&alice).await;
        // A device that never synchronised has its message waiting, once.
        assert_eq!(tablet.sent_to_device().await, ["waits"]);
        // One key was given away before, and is not given again; the other is.
        assert_eq!(claim(&bob, &alice).await, "TWO");
        assert_eq!(claim(&bob, &alice).await, "FALLBACK");
        assert_eq!(self.found(&bob, "marvels").await, [&*self.letters[0]]);
        verify_audit(server, Some(&self.checkpoint)).await;
        self.letters_arrive(server, &alice).await;
    }

    /// No gap, nothing twice, and what is new comes: for both kinds of sync.
    async fn syncs_go_on(&self, alice: &Client) {
        let told = sync(alice, Some(&self.since)).await;
        let room = &told["rooms"]["join"][&self.room];
        assert_eq!(bodies(&room["timeline"]["events"]), UNSEEN);
        assert_eq!(room["timeline"]["limited"], false, "{room}");
        assert_eq!(told["to_device"]["events"][0]["content"]["body"], "waits");
        assert_eq!(told["device_one_time_keys_count"]["signed_curve25519"], 1);
        assert!(told["device_lists"]["changed"].is_null(), "{told}");
        let slid = slide(alice, Some(&self.pos)).await;
        let room = &slid["rooms"][&self.room];
        assert_eq!(bodies(&room["timeline"]), UNSEEN, "{slid}");
        assert!(room.get("initial").is_none(), "{slid}");

        say(alice, &self.room, "after the move").await;
        let next = told["next_batch"].as_str().unwrap();
        let told = sync(alice, Some(next)).await;
        let events = &told["rooms"]["join"][&self.room]["timeline"]["events"];
        assert_eq!(bodies(events), ["after the move"]);
        assert!(told["to_device"].is_null(), "{told}");
        let slid = slide(alice, slid["pos"].as_str()).await;
        let room = &slid["rooms"][&self.room];
        assert_eq!(bodies(&room["timeline"]), ["after the move"]);
    }

    async fn found(&self, client: &Client, word: &str) -> Vec<String> {
        let body = json!({ "search_categories": { "room_events": { "search_term": word } } });
        let path = "/_matrix/client/v3/search";
        let found = client.ask("POST", path, &body).await.unwrap();
        let results = &found["search_categories"]["room_events"]["results"];
        let results = results.as_array().unwrap().iter();
        let events = results.map(|result| result["result"]["event_id"].as_str().unwrap());
        events.map(str::to_owned).collect()
    }

    /// What waited to leave leaves from the new place, in order and once, and what came since.
    async fn letters_arrive(&self, server: &TestServer, alice: &Client) {
        self.gateway.comes_back();
        let last = say(alice, &self.room, "one more").await;
        let told = || -> Vec<String> { self.gateway.told().into_iter().flatten().collect() };
        eventually_within(PATIENCE, "the letters arrive", || async {
            let told = told();
            (told.contains(&last) && waiting(server).await == 0).then_some(())
        })
        .await;
        let told = told();
        assert_eq!(told[..2], self.letters[..], "{told:?}");
        assert_eq!(told.len(), 4, "{told:?}");
    }
}

/// What alice's first device has not seen when the server stops.
const UNSEEN: [&str; 2] = ["unseen marvels", "unseen wonders"];

fn bodies(events: &Value) -> Vec<&str> {
    let events = events.as_array().map_or(&[][..], Vec::as_slice).iter();
    events
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

async fn slide(client: &Client, pos: Option<&str>) -> Value {
    let pos = pos.map_or(String::new(), |pos| format!("&pos={pos}"));
    let body = json!({
        "conn_id": "main",
        "lists": { "all": {
            "ranges": [[0, 9]], "timeline_limit": 3, "required_state": [],
        } },
    });
    let path = format!("{SLIDING}{pos}");
    client.ask("POST", &path, &body).await.unwrap()
}

/// Claims a one-time key of a device, and gives its name.
async fn claim(client: &Client, of: &Client) -> String {
    let claim = json!({ "one_time_keys": {
        &of.user_id: { &of.device_id: "signed_curve25519" }
    } });
    let path = "/_matrix/client/v3/keys/claim";
    let claimed = client.ask("POST", path, &claim).await.unwrap();
    let given = &claimed["one_time_keys"][&of.user_id][&of.device_id];
    let name = given.as_object().unwrap().keys().next().unwrap();
    name.split_once(':').unwrap().1.to_owned()
}

/// How many notifications wait.
async fn waiting(server: &TestServer) -> usize {
    let status = printed(&server.command(&["delivery", "status"], "").await);
    let line = status.lines().find(|line| line.starts_with("push: "));
    let words = line.unwrap_or_default().split_whitespace();
    let mut numbers = words.filter_map(|word| word.parse().ok());
    numbers.next().unwrap_or(0)
}

/// Proves the record, and gives a checkpoint of it.
async fn verify_audit(server: &TestServer, checkpoint: Option<&str>) -> String {
    let mut arguments = vec!["audit", "verify"];
    arguments.extend(checkpoint.into_iter().flat_map(|it| ["--checkpoint", it]));
    let verified = printed(&server.command(&arguments, "").await);
    verified.lines().last().unwrap().to_owned()
}
