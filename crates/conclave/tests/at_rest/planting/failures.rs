//! Requests that are refused, break off or fail: what the log says of them.

use serde_json::{Value, json};
use testkit::server::TestServer;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::V3;
use crate::{markers::Markers, support::Client};

/// What is asked when there is no database.
pub(super) const IN_VAIN: &str = "in a request that failed";

/// Values that no request takes.
pub(super) async fn refused(alice: &Client, server: &TestServer, markers: &mut Markers) {
    let stranger = Client::anonymous(server.address(), &[]);
    let me = &alice.user_id;
    let mut value = || markers.new_for("a value that is refused");
    let name = format!("profile/{me}/displayname");
    let status = format!("presence/{me}/status");
    for (who, method, path, body) in [
        (&stranger, "POST", "login", json!({ "type": value() })),
        (
            &stranger,
            "POST",
            "register",
            json!({ "username": value() + "!", "password": value() }),
        ),
        (
            &stranger,
            "POST",
            "refresh",
            json!({ "refresh_token": value() }),
        ),
        (
            alice,
            "POST",
            "createRoom",
            json!({ "room_version": value() }),
        ),
        (alice, "POST", "createRoom", json!({ "invite": [value()] })),
        (alice, "PUT", &name, json!({ "displayname": [value()] })),
        (alice, "PUT", &status, json!({ "presence": [value()] })),
        (
            alice,
            "POST",
            "keys/upload",
            json!({ "device_keys": value() }),
        ),
    ] {
        let path = format!("{V3}/{path}");
        let (status, said) = who.refusal(method, &path, &body).await.unwrap();
        assert!((400..500).contains(&status), "{method} {path}: {said}");
    }
}

/// A request whose body ends too early, which is worth a line of the log.
pub(super) async fn broken_off(
    alice: &Client,
    room: &str,
    server: &TestServer,
    markers: &mut Markers,
) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let path = format!(
        "{V3}/rooms/{}/send/m.room.message/{}",
        room.replace('!', "%21"),
        markers.new_for("in the path of a request that broke off"),
    );
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        alice.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    testkit::eventually("the log tells of it", || {
        let told = server.output().contains("a request body broke off");
        async move { told.then_some(()) }
    })
    .await;
}

/// Asks a server that has lost its database.
pub(crate) async fn ask_in_vain(who: &Client, room: &str, markers: &mut Markers) {
    let mut word = || markers.new_for(IN_VAIN);
    let me = &who.user_id;
    let message = json!({ "msgtype": "m.text", "body": word() });
    let requests = [
        (
            "GET",
            format!("{V3}/directory/room/%23{}:localhost", word()),
            Value::Null,
        ),
        (
            "PUT",
            format!("{V3}/rooms/{room}/send/m.room.message/{}", word()),
            message,
        ),
        (
            "PUT",
            format!("{V3}/user/{me}/rooms/{room}/tags/u.{}", word()),
            json!({}),
        ),
        (
            "PUT",
            format!("{V3}/profile/{me}/displayname"),
            json!({ "displayname": word() }),
        ),
        (
            "GET",
            format!(
                "/_matrix/client/v1/media/download/localhost/{}/{}",
                word(),
                word()
            ),
            Value::Null,
        ),
    ];
    let asking = requests.iter().map(|(method, path, body)| async move {
        let refused = who.refusal(method, path, body).await;
        let (status, said) = refused.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(status >= 500, "{method} {path}: {status} {said}");
    });
    futures_util::future::join_all(asking).await;
}
