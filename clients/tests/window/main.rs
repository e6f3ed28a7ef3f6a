//! An application that looks through a window onto its rooms: matrix-sdk-ui, on which applications
//! for telephones are built, with simplified sliding sync and nothing else.

mod telephone;

use anyhow::{Result, ensure};
use clients::{
    device::{Device, Person},
    marker::MARKER,
    postgres::Database,
    scene::{on_a_server, on_a_server_that_moves},
    server::{Encryption, Server},
};
use matrix_sdk::ruma::{
    OwnedRoomId,
    api::client::room::create_room::v3::{Request, RoomPreset},
    assign,
};

use self::telephone::Telephone;

/// More than the first window shows.
const ROOMS: usize = 25;

/// How many texts are sent at a time: fewer than an open room's timeline has.
const TEXTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn an_application_looks_through_a_window() -> Result<()> {
    on_a_server(Encryption::Private, None, story).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_an_application_looks_through_a_window() -> Result<()> {
    let database = Database::create().await?;
    on_a_server(Encryption::Private, Some(&database), story).await?;
    database.remove().await
}

/// What the window shows goes on where it was when the server moves while the application sleeps.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_an_application_goes_on_that_began_on_sqlite() -> Result<()> {
    let database = Database::create().await?;
    let story = async |server: &mut Server| {
        let (mut laptop, mut telephone, room, mut texts) = both_talk(server).await?;
        telephone.sleep().await;
        texts.extend(said(&laptop, &room, 1).await?);
        laptop.has_seen_texts(&room, 2 * TEXTS + 1).await?;
        laptop.rest();
        server.move_to(&database).await?;
        laptop.wake();
        telephone.start().await?;
        telephone.shows(&room, &texts).await?;
        texts.extend(said(&laptop, &room, 2).await?);
        telephone.shows(&room, &texts).await?;
        telephone.knows_rooms(ROOMS + 1).await
    };
    on_a_server_that_moves(Encryption::Private, story).await?;
    database.remove().await
}

/// The telephone looks at a room among many, in which Alice has said something and Bob has
/// answered; what she has said comes last.
async fn both_talk(server: &Server) -> Result<(Device, Telephone, OwnedRoomId, Vec<String>)> {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    for person in [&alice, &bob] {
        let typed = format!("{}\n", person.password);
        server
            .command(&["user", "create", person.name], &typed)
            .await?;
    }
    let laptop = Device::log_in(server.url(), &alice, "Alice's laptop").await?;
    let mut telephone = Telephone::log_in(server.url(), &bob).await?;
    for _ in 0..ROOMS {
        telephone.client().create_room(Request::new()).await?;
    }
    telephone.start().await?;
    telephone.knows_rooms(ROOMS).await?;

    let room = is_asked_in(&laptop, &telephone).await?;
    let texts = said(&laptop, &room, 0).await?;
    telephone.opens(&room).await?;
    telephone.shows(&room, &texts).await?;
    answers(&laptop, &telephone, &room).await?;
    Ok((laptop, telephone, room, texts))
}

async fn story(server: &Server) -> Result<()> {
    let (laptop, mut telephone, room, mut texts) = both_talk(server).await?;
    // What is said while it sleeps is there when it wakes up, and goes on where it was.
    telephone.sleep().await;
    texts.extend(said(&laptop, &room, 1).await?);
    telephone.start().await?;
    telephone.shows(&room, &texts).await?;

    // Connections that the application gives up begin anew, and nothing is missing.
    telephone.forgets_its_connections().await;
    texts.extend(said(&laptop, &room, 2).await?);
    telephone.start().await?;
    telephone.shows(&room, &texts).await?;
    telephone.knows_rooms(ROOMS + 1).await
}

/// Alice makes an encrypted room and asks Bob in, who learns of it and comes.
async fn is_asked_in(laptop: &Device, telephone: &Telephone) -> Result<OwnedRoomId> {
    let name = format!("{MARKER}, with a view");
    let request = assign!(Request::new(), {
        preset: Some(RoomPreset::PrivateChat),
        invite: vec![telephone.user()?],
        name: Some(name.clone()),
    });
    let room = laptop.create_room(request).await?.room_id().to_owned();
    telephone.accepts(&room, &name).await?;
    let bob = telephone.user()?;
    laptop
        .eventually("Alice sees Bob in the room", async || {
            let Some(room) = laptop.get_room(&room) else {
                return Ok(None);
            };
            let member = room.get_member_no_sync(&bob).await?;
            let joined = member.is_some_and(|member| {
                *member.membership()
                    == matrix_sdk::ruma::events::room::member::MembershipState::Join
            });
            Ok((joined && room.encryption_state().is_encrypted()).then_some(()))
        })
        .await?;
    Ok(room)
}

/// Alice says something, encrypted.
async fn said(laptop: &Device, room: &OwnedRoomId, part: usize) -> Result<Vec<String>> {
    let texts: Vec<String> = (0..TEXTS)
        .map(|text| format!("{MARKER}, {part}, {text}"))
        .collect();
    laptop.send_texts(room, texts.clone()).await?;
    Ok(texts)
}

/// Bob answers, and Alice reads it.
async fn answers(laptop: &Device, telephone: &Telephone, room: &OwnedRoomId) -> Result<()> {
    let answer = format!("{MARKER}, answered Bob");
    telephone.says(room, &answer).await?;
    let seen = laptop.has_seen_texts(room, TEXTS + 1).await?;
    let last = seen.iter().rfind(|seen| seen.text().is_some());
    let heard = last.is_some_and(|seen| seen.encrypted && seen.text() == Some(&*answer));
    ensure!(heard, "Alice should read {answer:?}, and reads {last:?}");
    Ok(())
}
