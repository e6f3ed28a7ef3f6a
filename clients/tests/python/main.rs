//! matrix-nio comes into a room of matrix-sdk, and the two talk.
//!
//! The Python is in `clients/python`. `cargo xtask test --clients` fetches what it needs.

mod player;

use anyhow::{Result, ensure};
use clients::{
    device::{Device, Person},
    marker::MARKER,
    postgres::Database,
    scene::on_a_server,
    seen::Seen,
    server::{Encryption, NAME, Server},
};
use matrix_sdk::ruma::{
    OwnedRoomId, RoomId, UserId,
    api::client::room::create_room::v3::{Request, RoomPreset},
    assign,
    events::room::member::MembershipState,
};
use serde_json::json;

use self::player::{Played, Told};

/// How many texts each of the two sends: as many as one session of the encryption lasts.
const EACH: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_python_talks_with_this_one() -> Result<()> {
    on_a_server(Encryption::Private, None, story).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_client_in_python_talks_with_this_one() -> Result<()> {
    let database = Database::create().await?;
    on_a_server(Encryption::Private, Some(&database), story).await?;
    database.remove().await
}

async fn story(server: &Server) -> Result<()> {
    let (alice, dave) = (Person::new("alice"), Person::new("dave"));
    for (person, arguments) in [(&alice, &["--admin"][..]), (&dave, &[])] {
        let create = [&["user", "create", person.name], arguments].concat();
        let password = format!("{}\n", person.password);
        server.command(&create, &password).await?;
    }
    let device = Device::log_in(server.url(), &alice, "Alice's").await?;
    device.make_identity().await?;
    let guest = UserId::parse(format!("@{}:{NAME}", dave.name))?;
    let room = open(&device, &guest).await?;
    let scene = json!({
        "server": server.url(),
        "marker": MARKER,
        "each": EACH,
        "room": room,
        "alice": device.user()?,
        "dave": { "name": dave.name, "password": dave.password },
    });
    let (played, said) = tokio::try_join!(player::play(&scene), talk(&device, &room, &guest))?;
    ensure!(played.user == guest, "Dave is called {}", played.user);
    compare(&device, &room, &played, &said).await
}

/// Opens a private room, which the server encrypts without being asked, and invites Dave.
async fn open(device: &Device, guest: &UserId) -> Result<OwnedRoomId> {
    let request = assign!(Request::new(), {
        preset: Some(RoomPreset::PrivateChat),
        name: Some(format!("{MARKER}, and how to find them")),
        invite: vec![guest.to_owned()],
    });
    let room = device.create_room(request).await?.room_id().to_owned();
    device
        .eventually("Alice's client knows the room", async || {
            let room = device.get_room(&room);
            let known = room.is_some_and(|room| room.encryption_state().is_encrypted());
            Ok(known.then_some(()))
        })
        .await?;
    Ok(room)
}

/// Talks as soon as Dave has come and greeted.
async fn talk(device: &Device, room: &RoomId, guest: &UserId) -> Result<Vec<Told>> {
    device
        .eventually("Alice sees Dave join", async || {
            let member = device.room(room)?.get_member_no_sync(guest).await?;
            let joined = member.is_some_and(|member| *member.membership() == MembershipState::Join);
            Ok(joined.then_some(()))
        })
        .await?;
    device.has_seen_texts(room, 1).await?;
    let texts: Vec<String> = (1..=EACH)
        .map(|line| format!("Alice says, {line}: {MARKER}"))
        .collect();
    let sent = device.send_texts(room, texts.clone()).await?;
    Ok(sent.into_iter().zip(texts).collect())
}

/// Each has heard the other as they spoke, and Dave's second device has read what both have said,
/// in the order in which Alice's has.
async fn compare(device: &Device, room: &RoomId, played: &Played, said: &[Told]) -> Result<()> {
    let seen = device.has_seen_texts(room, 2 * EACH).await?;
    ensure!(
        seen.iter().all(|seen| seen.encrypted) && !seen.iter().any(Seen::is_unreadable),
        "Alice's client was sent something that was not encrypted, or not for it"
    );
    let texts = |seen: &Seen| Some((seen.id.clone(), seen.text()?.to_owned()));
    let by_dave = seen.iter().filter(|seen| seen.sender == played.user);
    let heard: Vec<Told> = by_dave.filter_map(texts).collect();
    ensure!(
        heard == played.said,
        "Dave said {:?}, and Alice heard {heard:?}",
        played.said
    );
    ensure!(
        played.heard == said,
        "Alice said {said:?}, and Dave heard {:?}",
        played.heard
    );
    let all: Vec<Told> = seen.iter().filter_map(texts).collect();
    ensure!(
        played.history == all,
        "Dave's second device reads {:?}, and not {all:?}",
        played.history
    );
    Ok(())
}
