//! A bridge that is made of mautrix comes into an encrypted room of matrix-sdk, and answers there as
//! one of its ghosts: an application service with a device, which never syncs.
//!
//! The Python is in `clients/python`. `cargo xtask test --clients` fetches what it needs.

mod service;

use anyhow::{Context as _, Result, ensure};
use clients::{
    device::{Device, Person},
    marker::MARKER,
    postgres::Database,
    scene::on_a_server_with,
    server::{Encryption, NAME, Server},
};
use matrix_sdk::ruma::{
    OwnedRoomId, OwnedUserId, RoomId, UserId,
    api::client::room::create_room::v3::{Request, RoomPreset},
    assign,
    events::room::member::MembershipState,
};

use self::service::Service;

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_answers_encrypted_and_gets_what_it_missed() -> Result<()> {
    with_a_bridge(service::Device::Named, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_signs_in_answers_encrypted_and_gets_what_it_missed() -> Result<()> {
    with_a_bridge(service::Device::SignedIn, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_bridge_answers_encrypted_and_gets_what_it_missed() -> Result<()> {
    let database = Database::create().await?;
    with_a_bridge(service::Device::Named, Some(&database)).await?;
    database.remove().await
}

async fn with_a_bridge(device: service::Device, database: Option<&Database>) -> Result<()> {
    let mut bridge = Service::register(device).await?;
    let registration = bridge.registration();
    let story = async |server: &Server| {
        let outcome = story(server, &mut bridge).await;
        if outcome.is_err() {
            println!("what the bridge said:\n{}", bridge.said());
        }
        outcome
    };
    on_a_server_with(Some(&registration), Encryption::Private, database, story).await
}

async fn story(server: &Server, bridge: &mut Service) -> Result<()> {
    let alice = Person::new("alice");
    let password = format!("{}\n", alice.password);
    server
        .command(&["user", "create", alice.name], &password)
        .await?;
    let device = Device::log_in(server.url(), &alice, "Alice's").await?;
    device.make_identity().await?;
    bridge.start(server.url()).await?;
    let bot = user("echobot")?;
    let room = open(&device, &bot).await?;
    is_answered(&device, &room, 1).await?;

    bridge.stop().await?;
    // The key of what is said now waits for the bridge, too.
    device.room(&room)?.discard_room_key().await?;
    let (text, ()) = tokio::try_join!(say(&device, &room, 2), bridge.is_away())?;
    bridge.start(server.url()).await?;
    hears(&device, &room, 2, &text).await?;
    is_answered(&device, &room, 3).await?;

    let devices = device.encryption().get_user_devices(&bot).await?;
    let count = devices.keys().count();
    ensure!(count == 1, "the bridge has {count} devices");
    the_server_sees_ciphertext(&device, &room).await?;
    bridge.stop().await
}

fn user(name: &str) -> Result<OwnedUserId> {
    Ok(UserId::parse(format!("@{name}:{NAME}"))?)
}

/// Opens a private room, which the server encrypts without being asked, and waits for the bot.
async fn open(device: &Device, bot: &UserId) -> Result<OwnedRoomId> {
    let request = assign!(Request::new(), {
        preset: Some(RoomPreset::PrivateChat),
        name: Some(format!("{MARKER}, and an echo")),
        invite: vec![bot.to_owned()],
    });
    let room = device.create_room(request).await?.room_id().to_owned();
    device
        .eventually("the bot comes into the encrypted room", async || {
            let Some(known) = device.get_room(&room) else {
                return Ok(None);
            };
            let member = known.get_member_no_sync(bot).await?;
            let joined = member.is_some_and(|member| *member.membership() == MembershipState::Join);
            Ok((joined && known.encryption_state().is_encrypted()).then_some(()))
        })
        .await?;
    Ok(room)
}

/// Alice says something, and the bridge says it again.
async fn is_answered(device: &Device, room: &RoomId, turn: usize) -> Result<()> {
    let text = say(device, room, turn).await?;
    hears(device, room, turn, &text).await
}

async fn say(device: &Device, room: &RoomId, turn: usize) -> Result<String> {
    let text = format!("Alice says, {turn}: {MARKER}");
    device.send_texts(room, [text.clone()]).await?;
    Ok(text)
}

/// The last that was said is what Alice said, by her ghost, and it came encrypted.
async fn hears(device: &Device, room: &RoomId, turn: usize, text: &str) -> Result<()> {
    let seen = device.has_seen_texts(room, 2 * turn).await?;
    let (ghost, answer) = (user("echo_alice")?, format!("echo: {text}"));
    let last = seen.iter().rfind(|seen| seen.text().is_some());
    let heard = last.is_some_and(|seen| {
        seen.encrypted && seen.sender == ghost && seen.text() == Some(&*answer)
    });
    ensure!(
        heard,
        "{ghost} should say {answer:?}, and Alice sees {last:?}"
    );
    Ok(())
}

/// What was said is ciphertext to the server, all of it.
async fn the_server_sees_ciphertext(device: &Device, room: &RoomId) -> Result<()> {
    let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100");
    let page = device.plain()?.get(&path).await?.granted()?;
    let events = page["chunk"].as_array().context("a page has no chunk")?;
    let said = events.iter().filter(|event| event["state_key"].is_null());
    let said: Vec<_> = said.collect();
    ensure!(said.len() == 6, "three texts and three answers: {said:#?}");
    for event in said {
        ensure!(
            event["type"] == "m.room.encrypted"
                && event["content"]["ciphertext"].is_string()
                && event["content"]["body"].is_null(),
            "in clear: {event}"
        );
    }
    Ok(())
}
