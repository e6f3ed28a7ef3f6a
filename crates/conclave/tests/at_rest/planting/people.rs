//! People: how they come, and what they tell of themselves.

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use testkit::server::TestServer;

use super::{SHARED_SECRET, V3, ask, text};
use crate::{
    markers::{Markers, word},
    support::Client,
};

/// Somebody who was invited, and whose program tells its name; and their password.
pub(super) async fn register(server: &TestServer, markers: &mut Markers) -> (Client, String) {
    let name = word();
    let token = printed(server, &["invite", "--name", &name]).await;
    markers.add("an invitation", &token);
    let agent = markers.new_for("a User-Agent");
    let mut person = Client::anonymous(server.address(), &[("User-Agent", &agent)]);
    let password = markers.new_for("a password");
    let register = json!({
        "username": name,
        "password": password,
        "initial_device_display_name": markers.new_for("the name of a new device"),
        "refresh_token": true,
        "auth": { "type": "m.login.registration_token", "token": token },
    });
    let session = person
        .begin_session(&format!("{V3}/register"), &register)
        .await;
    markers.add("an access token", text(&session, "access_token"));
    markers.add("a refresh token", text(&session, "refresh_token"));
    (person, password)
}

/// The last line that a command prints.
async fn printed(server: &TestServer, arguments: &[&str]) -> String {
    let output = server.command(arguments, "").await;
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().last().unwrap().to_owned()
}

/// What somebody tells of themselves and of their device.
pub(super) async fn account(alice: &Client, markers: &mut Markers) {
    let me = &alice.user_id;
    let mut avatar = "mxc://localhost/".to_owned();
    avatar.push_str(&markers.new_for("an avatar"));
    for (field, value) in [
        ("displayname", markers.new_for("a display name")),
        ("avatar_url", avatar),
        ("org.example.note", markers.new_for("a profile field")),
    ] {
        let path = format!("profile/{me}/{field}");
        let mut body = json!({});
        body[field] = value.into();
        ask(alice, "PUT", &path, body).await;
    }
    let device = format!("devices/{}", alice.device_id);
    let name = json!({ "display_name": markers.new_for("the name of a device") });
    ask(alice, "PUT", &device, name).await;
    let status = json!({
        "presence": "online", "status_msg": markers.new_for("a status message"),
    });
    ask(alice, "PUT", &format!("presence/{me}/status"), status).await;
}

/// People who come by a registration token, by the command line and by a tool.
pub(super) async fn made_otherwise(server: &TestServer, markers: &mut Markers) {
    let token = printed(server, &["invite", "--uses", "2"]).await;
    markers.add("a registration token", &token);
    let mut person = Client::anonymous(server.address(), &[]);
    let register = json!({
        "username": word(),
        "password": markers.new_for("a password"),
        "auth": { "type": "m.login.registration_token", "token": token },
    });
    person
        .begin_session(&format!("{V3}/register"), &register)
        .await;
    markers.add("an access token", &person.token);

    let display_name = markers.new_for("a display name on the command line");
    let password = markers.new_for("a password on standard input");
    let create = ["user", "create", "carol", "--display-name", &display_name];
    let made = server.command(&create, &password).await;
    assert!(made.status.success(), "{made:?}");
    by_shared_secret(server, markers).await;
    let (id, text) = (
        markers.new_for("the id of a notice"),
        markers.new_for("a notice"),
    );
    let tell = ["notices", "send", "--to", "carol", "--id", &id, &text];
    let told = server.command(&tell, "").await;
    assert!(told.status.success(), "{told:?}");
}

async fn by_shared_secret(server: &TestServer, markers: &mut Markers) {
    const PATH: &str = "/_synapse/admin/v1/register";
    let mut tool = Client::anonymous(server.address(), &[]);
    let nonce = tool.ask("GET", PATH, &Value::Null).await.unwrap();
    let nonce = text(&nonce, "nonce");
    markers.add("the nonce of a tool", nonce);
    let (name, password) = (word(), markers.new_for("a password from a tool"));
    let key = hmac::Key::new(
        hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        SHARED_SECRET.as_bytes(),
    );
    let signed = [nonce, &name, &password, "notadmin"].join("\0");
    let mac = hmac::sign(&key, signed.as_bytes());
    let mac: String = mac.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    markers.add("the MAC of a tool", &mac);
    let register = json!({
        "nonce": nonce, "username": name, "password": password, "mac": mac,
        "displayname": markers.new_for("a display name from a tool"),
    });
    tool.begin_session(PATH, &register).await;
    markers.add("an access token", &tool.token);
}
