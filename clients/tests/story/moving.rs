//! The server moves from SQLite to PostgreSQL in the middle of a conversation.

use anyhow::{Result, ensure};
use clients::{
    device::Device,
    marker::MARKER,
    postgres::Database,
    scene::on_a_server_that_moves,
    seen::Seen,
    server::{Encryption, Server},
};
use matrix_sdk::ruma::RoomId;

use crate::chapters::{
    history,
    messages::{self, Told, told},
    people, room,
};

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_conversation_goes_on_that_began_on_sqlite() -> Result<()> {
    let database = Database::create().await?;
    let story = async |server: &mut Server| story(server, &database).await;
    on_a_server_that_moves(Encryption::Private, story).await?;
    database.remove().await
}

async fn story(server: &mut Server, database: &Database) -> Result<()> {
    let (mut laptop, mut bob) = people::arrive(server).await?;
    people::get_identities(&laptop, &bob).await?;
    let recovery_key = laptop.encryption().recovery().enable().await?;
    let room = room::open(&laptop, Encryption::Private).await?;
    room::bring_in(&laptop, &room, &bob).await?;
    clients::verification::verify_each_other(&laptop, &bob).await?;
    let before = messages::talk(&laptop, &bob, &room).await?;

    // The key to these words waits on the server for the laptop, and moves with it.
    laptop.rest();
    bob.room(&room)?.discard_room_key().await?;
    say(&bob, &room, "while you were away").await?;
    bob.has_seen_texts(&room, before.len() + 1).await?;
    bob.rest();
    server.move_to(database).await?;

    laptop.wake();
    bob.wake();
    let heard = heard(&laptop, &room, before.len() + 1).await?;
    ensure!(
        heard[..before.len()] == before && heard[before.len()].1.contains("while you were away"),
        "after the move the laptop hears {:?}",
        &heard[before.len()..]
    );
    // Both ways, with the sessions of before and with new ones.
    say(&laptop, &room, "I am back").await?;
    laptop.room(&room)?.discard_room_key().await?;
    say(&laptop, &room, "and so are my keys").await?;
    say(&bob, &room, "nothing is missing").await?;
    let count = before.len() + 4;
    let said = self::heard(&laptop, &room, count).await?;
    let by_bob = self::heard(&bob, &room, count).await?;
    ensure!(said == by_bob, "they hear {said:?} and {by_bob:?}");

    // A device that comes after the move reads what was said before it.
    let phone = people::second_device(&laptop, server).await?;
    history::comes_back(&laptop, &phone, &room, &recovery_key, &said).await?;
    people::know_the_second_device(&phone, &bob).await
}

async fn say(device: &Device, room: &RoomId, words: &str) -> Result<()> {
    let text = format!("{MARKER}: {words}");
    device.send_texts(room, [text]).await.map(drop)
}

/// Everything that a device has heard, each once and nothing that it cannot read.
async fn heard(device: &Device, room: &RoomId, count: usize) -> Result<Vec<Told>> {
    let seen = device.has_seen_texts(room, count).await?;
    ensure!(
        !seen.iter().any(Seen::is_unreadable),
        "{} could not decrypt everything",
        device.user()?
    );
    let heard = told(&seen);
    ensure!(
        heard.len() == count,
        "more was heard than was said: {heard:?}"
    );
    Ok(heard)
}
