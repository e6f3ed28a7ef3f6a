//! Two people, three devices: from an empty server to a device that is signed out; and what they
//! see of their server's move to another database.

mod chapters;
mod moving;

use anyhow::Result;
use clients::{
    postgres::Database,
    scene::on_a_server,
    server::{Encryption, Server},
};

#[tokio::test(flavor = "multi_thread")]
async fn clients_encrypt_where_it_is_their_choice() -> Result<()> {
    two_people_talk(Encryption::Off, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn private_rooms_are_encrypted_without_anybody_asking() -> Result<()> {
    two_people_talk(Encryption::Private, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_encrypted_rooms_passes_where_encryption_is_required() -> Result<()> {
    two_people_talk(Encryption::Required, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_people_talk_as_they_do_on_sqlite() -> Result<()> {
    let database = Database::create().await?;
    two_people_talk(Encryption::Private, Some(&database)).await?;
    database.remove().await
}

async fn two_people_talk(encryption: Encryption, database: Option<&Database>) -> Result<()> {
    let story = async |server: &Server| story(server, encryption).await;
    on_a_server(encryption, database, story).await
}

async fn story(server: &Server, encryption: Encryption) -> Result<()> {
    let (laptop, bob) = chapters::people::arrive(server).await?;
    chapters::people::get_identities(&laptop, &bob).await?;
    let recovery_key = laptop.encryption().recovery().enable().await?;

    let room = chapters::room::open(&laptop, encryption).await?;
    chapters::room::keeps_its_mode(&laptop, &room, encryption).await?;
    chapters::room::bring_in(&laptop, &room, &bob).await?;
    clients::verification::verify_each_other(&laptop, &bob).await?;

    let told = chapters::messages::talk(&laptop, &bob, &room).await?;
    let file = chapters::file::send(&laptop, &room).await?;
    chapters::file::arrives(&bob, &room, &file).await?;

    let phone = chapters::people::second_device(&laptop, server).await?;
    chapters::history::comes_back(&laptop, &phone, &room, &recovery_key, &told).await?;
    chapters::file::is_in_the_history(&phone, &room, &file).await?;
    chapters::people::know_the_second_device(&phone, &bob).await?;

    chapters::secrets::the_server_sees_ciphertext(&phone, &room, told.len()).await?;
    chapters::people::lose_the_first_device(&laptop, &phone, &bob).await?;
    chapters::messages::go_on(&bob, &phone, &laptop, &room).await
}
