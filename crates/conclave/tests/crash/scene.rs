//! Who is there: the one who writes, a member without power, and one who is not in the room.

use serde_json::json;
use testkit::server::TestServer;

use crate::{load::Asked, support::Client};

/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Scene {
    pub(crate) room: String,
    pub(crate) alice: Client,
    /// Alice's other device, which is away all the time.
    pub(crate) away: Client,
    /// In the room, and may do no more than speak.
    pub(crate) bob: Client,
    /// Not in the room.
    pub(crate) outsider: Client,
}

impl Scene {
    pub(crate) async fn set(server: &TestServer) -> Self {
        for name in ["alice", "bob", "mallory"] {
            let typed = format!("{PASSWORD}\n");
            let made = server.command(&["user", "create", name], &typed).await;
            assert!(made.status.success());
        }
        let sign_in = |name| Client::sign_in(server.address(), name, PASSWORD);
        let alice = sign_in("alice").await;
        let bob = sign_in("bob").await;
        let public = json!({ "preset": "public_chat" });
        let made = alice.ask("POST", "/_matrix/client/v3/createRoom", &public);
        let made = made.await.unwrap();
        let room = made["room_id"].as_str().unwrap().to_owned();
        let join = format!("/_matrix/client/v3/join/{room}");
        // At once, but for a server that acknowledged the room too early: that one is to be found
        // out by what it loses.
        testkit::eventually("Bob joins", || async {
            bob.ask("POST", &join, &json!({})).await.ok()
        })
        .await;
        Self {
            room,
            alice,
            away: sign_in("alice").await,
            bob,
            outsider: sign_in("mallory").await,
        }
    }

    /// A path below the room's.
    pub(crate) fn in_room(&self, rest: &str) -> String {
        format!("/_matrix/client/v3/rooms/{}/{rest}", self.room)
    }

    /// How many of these changes stand although nobody was told.
    pub(crate) async fn which_stand(&self, asked: &[Asked]) -> usize {
        let newest = self.alice.newest(&self.room).await;
        let mut standing = 0;
        for asked in asked {
            let stands = match asked {
                Asked::Message(body) => newest.contains(body),
                Asked::Count(writer, count) => {
                    self.alice.account_data(*writer).await == Some(*count)
                }
                Asked::Other => false,
            };
            standing += usize::from(stands);
        }
        standing
    }
}
