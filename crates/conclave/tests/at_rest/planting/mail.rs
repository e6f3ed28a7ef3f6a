//! Addresses of mail, the proofs of them, and the mails.

use serde_json::{Value, json};
use testkit::{eventually, servers::Smtp};

use super::{ask, sessions::proof, text};
use crate::{
    markers::{Markers, word},
    support::Client,
};

/// One address that is added, and one of which nobody knows yet whether it is theirs: its mail
/// waits, because the mail server takes none for `later`.
pub(super) async fn mail(alice: &Client, password: &str, smtp: &Smtp, markers: &mut Markers) {
    let secret = markers.new_for("a client's secret of a proof");
    let name = markers.new_for("an address of mail");
    let address = format!("{name}@example.org");
    let sid = request(alice, &secret, &address, None).await;
    let token = eventually("the mail arrives", || async {
        let mails = smtp.mails();
        let mail = mails.last()?.replace("=\r\n", "").replace("=3D", "=");
        let (_, link) = mail.split_once("/_conclave/mail?token=")?;
        let is_of_it = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let end = link.find(|c| !is_of_it(c))?;
        Some(link[..end].to_owned())
    })
    .await;
    markers.add("the secret in the link of a mail", &token);
    let form = format!("token={token}");
    let kind = "application/x-www-form-urlencoded";
    let confirmed = alice.send("POST", "/_conclave/mail", kind, form.as_bytes());
    confirmed.await.unwrap();
    let added = json!({
        "sid": sid, "client_secret": secret, "auth": proof(alice, password),
    });
    ask(alice, "POST", "account/3pid/add", added).await;
    let listed = ask(alice, "GET", "account/3pid", Value::Null).await;
    assert_eq!(listed["threepids"][0]["address"], address);
    let next = markers.new_for("where a link leads afterwards");
    let next = format!("https://example.org/{next}");
    let host = markers.new_for("an address of mail that waits");
    let waiting = format!("later@{host}.org");
    request(alice, &word(), &waiting, Some(&next)).await;
    let room = ask(alice, "POST", "createRoom", json!({})).await;
    let host = markers.new_for("an address of mail that is invited");
    let invited = json!({
        "id_server": "localhost", "id_access_token": "none", "medium": "email",
        "address": format!("later@{host}.org"),
    });
    let path = format!("rooms/{}/invite", text(&room, "room_id"));
    ask(alice, "POST", &path, invited).await;
}

async fn request(alice: &Client, secret: &str, address: &str, next: Option<&str>) -> String {
    let mut body = json!({"client_secret": secret, "email": address, "send_attempt": 1});
    if let Some(next) = next {
        body["next_link"] = next.into();
    }
    let asked = ask(alice, "POST", "account/3pid/email/requestToken", body).await;
    text(&asked, "sid").to_owned()
}
