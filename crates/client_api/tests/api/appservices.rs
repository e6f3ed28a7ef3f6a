//! Application services: who they are here, and what they are told.

mod acquaintances;
mod aliases;
mod asking;
mod devices;
mod ephemeral;
mod identity;
mod limits;
mod networks;
mod registering;
mod sending;
pub(crate) mod service;
mod telling;

use appservices::Appservices;
use ruma::server_name;
use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User},
    stage::encoded,
};

/// With what the bridge proves who it is.
pub(crate) const AS_TOKEN: &str = "as-token-of-the-bridge";

/// A bridge that claims `@irc_…` and `#irc_…` for itself, and `@shared_…` with others.
pub(crate) fn bridge(more: &str) -> String {
    format!(
        r#"
id: irc
url: null
as_token: {AS_TOKEN}
hs_token: hs-token-of-the-bridge
sender_localpart: ircbot
namespaces:
  users:
  - {{ exclusive: true, regex: '@irc_.*' }}
  - {{ exclusive: false, regex: '@shared_.*' }}
  aliases:
  - {{ exclusive: true, regex: '\#irc_.*' }}
  - {{ exclusive: false, regex: '\#shared_.*' }}
{more}
"#
    )
}

/// The services that files register.
pub(crate) fn registered(files: &[&str]) -> Appservices {
    let files = files.iter().map(|text| ("service.yaml", *text));
    Appservices::parse(files, server_name!("localhost")).unwrap()
}

/// A server with the bridge.
pub(crate) fn bridged(mut server: Server) -> Server {
    server.deployment.appservices = registered(&[&bridge("")]);
    server
}

/// A path as one of the bridge's users.
pub(crate) fn acting(rest: &str, user_id: &str) -> String {
    let joint = if rest.contains('?') { '&' } else { '?' };
    format!(
        "/_matrix/client/v3/{rest}{joint}user_id={}",
        encoded(user_id)
    )
}

/// The bridge itself.
pub(crate) fn bot() -> User {
    User {
        user_id: "@ircbot:localhost".to_owned(),
        token: AS_TOKEN.to_owned(),
    }
}

impl Node {
    /// Makes one of the bridge's users, without a session.
    pub(crate) async fn ghost(&self, name: &str) -> String {
        let body = json!({
            "type": "m.login.application_service", "username": name, "inhibit_login": true,
        });
        let path = "/_matrix/client/v3/register";
        let made = self.ok(AS_TOKEN, "POST", path, body).await;
        assert_eq!(made.get("access_token"), None, "{made}");
        made["user_id"].as_str().unwrap().to_owned()
    }

    /// Asks what must succeed, as one of the bridge's users.
    pub(crate) async fn as_ghost(
        &self,
        user_id: &str,
        method: &str,
        rest: &str,
        body: Value,
    ) -> Value {
        self.ok(AS_TOKEN, method, &acting(rest, user_id), body)
            .await
    }
}
