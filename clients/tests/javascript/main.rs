//! matrix-js-sdk plays the story that matrix-sdk plays, in Node; and each of the two restores a
//! key backup that the other one made.
//!
//! The JavaScript is in `clients/js`. `cargo xtask test --clients` fetches what it needs.

mod carol;
mod player;

use anyhow::{Result, ensure};
use clients::{
    device::{Device, Person},
    marker::MARKER,
    postgres::Database,
    scene::on_a_server,
    server::{Encryption, NAME, Server},
};
use serde_json::json;

use self::{carol::Carol, player::Played};

#[tokio::test(flavor = "multi_thread")]
async fn another_client_plays_the_story_and_restores_what_this_one_backed_up() -> Result<()> {
    on_a_server(Encryption::Private, None, story).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_another_client_plays_the_story() -> Result<()> {
    let database = Database::create().await?;
    on_a_server(Encryption::Private, Some(&database), story).await?;
    database.remove().await
}

async fn story(server: &Server) -> Result<()> {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    for (person, kind) in [(&alice, "--admin"), (&Person::new("carol"), "")] {
        let mut create = vec!["user", "create", person.name];
        create.extend(Some(kind).filter(|kind| !kind.is_empty()));
        server
            .command(&create, &format!("{}\n", person.password))
            .await?;
    }
    let invitation = server.command(&["invite"], "").await?;
    // The token is the last word that was printed, or the end of a link that is.
    let link = invitation.split_whitespace().last();
    let token = link.and_then(|link| link.rsplit(['=', '/']).next());

    let carol = Carol::talks_to_herself(server).await?;
    let scene = json!({
        "server": server.url(),
        "name": NAME,
        "marker": MARKER,
        "token": token,
        "alice": { "name": alice.name, "password": alice.password },
        "bob": { "name": bob.name, "password": bob.password },
        "carol": carol.for_another_client(),
    });
    let played = player::play(&scene).await?;

    carol.hears(&played.answer).await?;
    restores(server, &alice, &played).await
}

/// This client reads what the other one's backup holds the keys of.
async fn restores(server: &Server, alice: &Person, played: &Played) -> Result<()> {
    let tablet = Device::log_in(server.url(), alice, "Alice's tablet").await?;
    let recovery = tablet.encryption().recovery();
    recovery.recover(&played.recovery_key).await?;
    let backups = tablet.encryption().backups();
    ensure!(
        backups.are_enabled().await,
        "the tablet does not use the backup"
    );
    backups.download_room_keys_for_room(&played.room).await?;
    let history = tablet.history(&played.room).await?;
    let texts = history
        .iter()
        .filter_map(|seen| Some((&seen.id, seen.text()?)));
    let expected = played.texts.iter().map(|(id, text)| (id, text.as_str()));
    ensure!(
        texts.eq(expected),
        "what was said to the other client is not what this one reads: {history:?}"
    );
    Ok(())
}
