//! PostgreSQL fails over to a standby that had not received everything: what people were told is
//! gone, every node says so, and nothing of it is left anywhere.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{eventually_within, server::TestServer, servers::Postgres};

use crate::{
    cluster::{Cluster, Place, blocking, nats, postgres},
    form::pause,
    relay::{reached_at, server_of},
    scene::{PATIENCE, Scene, register},
    support::Client,
};

const MESSAGES: &str = "messages?dir=f&limit=100";

#[tokio::test(flavor = "multi_thread")]
async fn running_nodes_notice_what_a_failover_lost() {
    let mut trial = Trial::until_the_loss().await;
    trial.fail_over().await;
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_died_with_their_database_notice_what_a_failover_lost() {
    let mut trial = Trial::until_the_loss().await;
    for node in &mut trial.cluster.nodes {
        written_down(node).await;
        node.kill().await;
    }
    trial.fail_over().await;
    for node in &mut trial.cluster.nodes {
        node.restart().await;
    }
    trial.end().await;
}

/// Waits until a node has noted on its disk all that it has seen, with nobody doing anything.
async fn written_down(node: &TestServer) {
    let path = node.data_dir().join("history.seen");
    let noted = || std::fs::read_to_string(&path).unwrap_or_default();
    let mut before = noted();
    loop {
        pause(Duration::from_millis(1_500)).await;
        let now = noted();
        if !now.is_empty() && now == before {
            return;
        }
        before = now;
    }
}

struct Trial {
    cluster: Cluster,
    primary: Postgres,
    standby: Postgres,
    scene: Scene,
    kept: String,
    lost: String,
    /// Bob's tokens of either kind of sync, from before and from within what is lost.
    tokens: [String; 2],
    sliding: String,
}

impl Trial {
    /// Two nodes have told people what the standby has not received.
    async fn until_the_loss() -> Self {
        let mut primary = postgres().await;
        let (mut standby, mut primary) = blocking(move || {
            let standby = Postgres::start_standby(&primary).unwrap();
            primary.wait_for_standbys().unwrap();
            (standby, primary)
        })
        .await;
        let nats = nats().await;
        let hosts = [&primary, &standby].map(|server| server_of(&server.url()));
        let url = reached_at(&primary.url(), &hosts);
        let place = || Place::with(&[("database.url", &url), ("bus.url", &nats.url())]);
        let cluster = Cluster::start(vec![place(), place()]).await;
        let scene = Scene::set(cluster.addresses()).await;
        let kept = scene.say(0, "kept").await;
        let bob = scene.at(1, 1);
        let early = sync(&bob, None).await["next_batch"].clone();
        let (standby, primary) = blocking(move || {
            primary.wait_for_nobody().unwrap();
            standby.stop().unwrap();
            (standby, primary)
        })
        .await;
        let lost = scene.say(0, "lost").await;
        register(scene.addresses[0], "carol").await;
        assert!(scene.at(1, 1).reads(&scene, &lost).await);
        let late = sync(&bob, None).await["next_batch"].clone();
        let opened = slide(&bob, None).await.unwrap();
        Self {
            cluster,
            primary,
            standby,
            scene,
            kept,
            lost,
            tokens: [early, late].map(|token| token.as_str().unwrap().to_owned()),
            sliding: opened["pos"].as_str().unwrap().to_owned(),
        }
    }

    async fn fail_over(&mut self) {
        tokio::task::block_in_place(|| {
            self.primary.crash().unwrap();
            self.standby.restart().unwrap();
            self.standby.promote().unwrap();
        });
    }

    /// All nodes tell the one history that there is.
    async fn end(self) {
        let Self { cluster, scene, .. } = &self;
        // Whose integer is the one that Carol had.
        let dave = eventually_within(PATIENCE, "somebody registers", || async {
            for node in 0..2 {
                let free = "/_matrix/client/v3/register/available?username=dave";
                scene
                    .at(0, node)
                    .ask("GET", free, &Value::Null)
                    .await
                    .ok()?;
            }
            Some(register(scene.addresses[1], "dave").await)
        })
        .await;
        let after = scene.say(1, "after").await;
        for node in 0..2 {
            let (alice, bob) = (scene.at(0, node), scene.at(1, node));
            assert!(alice.reads(scene, &self.kept).await);
            assert!(!alice.reads(scene, &self.lost).await);
            assert!(alice.reads(scene, &after).await);
            let who = dave.at(scene.addresses[node]);
            let who = who.ask("GET", "/_matrix/client/v3/account/whoami", &Value::Null);
            assert_eq!(who.await.unwrap()["user_id"], dave.user_id.as_str());
            let login = json!({
                "type": "m.login.password", "password": "correct horse battery",
                "identifier": { "type": "m.id.user", "user": "carol" },
            });
            let (status, _) = Client::anonymous(scene.addresses[node], &[])
                .refusal("POST", "/_matrix/client/v3/login", &login)
                .await
                .unwrap();
            assert_eq!(status, 403, "nobody knows Carol");
            for token in &self.tokens {
                let told = sync(&bob, Some(token)).await;
                let timeline = &told["rooms"]["join"][&scene.room]["timeline"];
                let events = timeline["events"].as_array().unwrap();
                let ids: Vec<&Value> = events.iter().map(|event| &event["event_id"]).collect();
                assert!(ids.contains(&&json!(after)), "{token}: {told}");
                assert!(!ids.contains(&&json!(self.lost)), "{token}: {told}");
                // It goes on from there.
                let next = told["next_batch"].as_str().unwrap();
                let nothing = sync(&bob, Some(next)).await;
                assert_eq!(nothing["rooms"]["join"].get(&scene.room), None, "{nothing}");
            }
            let refused = slide(&bob, Some(&self.sliding)).await.unwrap_err();
            assert_eq!(refused["errcode"], "M_UNKNOWN_POS");
        }
        let told = |node: &TestServer| node.output().contains("had not received everything");
        assert!(cluster.nodes.iter().any(told), "an operator is told");
        self.cluster.stop().await;
    }
}

impl Client {
    /// Whether an event is in the room's history.
    async fn reads(&self, scene: &Scene, event_id: &str) -> bool {
        let path = scene.in_room(MESSAGES);
        let history = self.ask("GET", &path, &Value::Null).await.unwrap();
        let mut events = history["chunk"].as_array().unwrap().iter();
        events.any(|event| event["event_id"] == event_id)
    }
}

async fn sync(client: &Client, since: Option<&str>) -> Value {
    let since = since.map_or(String::new(), |since| format!("&since={since}"));
    let path = format!("/_matrix/client/v3/sync?timeout=0{since}");
    client.ask("GET", &path, &Value::Null).await.unwrap()
}

/// One step of a sliding sync, or its refusal.
async fn slide(client: &Client, pos: Option<&str>) -> Result<Value, Value> {
    let pos = pos.map_or(String::new(), |pos| format!("?pos={pos}"));
    let path = format!("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync{pos}");
    let body = json!({
        "lists": { "all": { "ranges": [[0, 9]], "timeline_limit": 5, "required_state": [] } },
    });
    let (status, said) = client.refusal("POST", &path, &body).await.unwrap();
    if status == 200 { Ok(said) } else { Err(said) }
}
