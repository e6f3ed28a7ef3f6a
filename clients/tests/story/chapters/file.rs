//! A file of five mebibytes, which the server cannot read either.

use anyhow::{Context as _, Result, ensure};
use clients::{device::Device, marker::MARKER, seen::Seen};
use matrix_sdk::{
    attachment::AttachmentConfig,
    media::{MediaFormat, MediaRequestParameters},
    ruma::{
        OwnedEventId, RoomId,
        events::room::{MediaSource, message::FileMessageEventContent},
    },
};

const SIZE: usize = 5 * 1024 * 1024;

/// A file that was sent.
pub(crate) struct Sent {
    event: OwnedEventId,
    bytes: Vec<u8>,
}

/// Sends the file.
pub(crate) async fn send(alice: &Device, room: &RoomId) -> Result<Sent> {
    let bytes = bytes();
    let name = format!("{MARKER}.bin");
    let config = AttachmentConfig::new();
    let sending = alice
        .room(room)?
        .send_attachment(name, &mime::APPLICATION_OCTET_STREAM, bytes.clone(), config)
        .await?;
    let event = sending.event_id;
    Ok(Sent { event, bytes })
}

/// The file comes while the receiver syncs; what the server hands out to anybody else is ciphertext.
pub(crate) async fn arrives(bob: &Device, room: &RoomId, sent: &Sent) -> Result<()> {
    let file = bob
        .eventually("the file arrives", async || Ok(find(&bob.seen(room), sent)))
        .await?;
    is_whole(bob, &file, sent).await?;

    let MediaSource::Encrypted(source) = &file.source else {
        anyhow::bail!("the file was sent in clear");
    };
    let (server, id) = source.url.parts()?;
    let path = format!("/_matrix/client/v1/media/download/{server}/{id}");
    let stored = bob.plain()?.download(&path).await?;
    ensure!(stored.len() == SIZE, "{} bytes are stored", stored.len());
    let same = stored
        .iter()
        .zip(&sent.bytes)
        .filter(|(a, b)| a == b)
        .count();
    // One byte in 256 is the same by chance.
    ensure!(same < SIZE / 128, "{same} bytes are stored as they are");
    Ok(())
}

/// A device that was not there yet finds the file in the room's history.
pub(crate) async fn is_in_the_history(phone: &Device, room: &RoomId, sent: &Sent) -> Result<()> {
    let file = find(&phone.history(room).await?, sent);
    is_whole(
        phone,
        &file.context("the file is not in the history")?,
        sent,
    )
    .await
}

fn find(seen: &[Seen], sent: &Sent) -> Option<FileMessageEventContent> {
    let message = seen.iter().find(|seen| seen.id == sent.event)?;
    message.file().cloned()
}

async fn is_whole(device: &Device, file: &FileMessageEventContent, sent: &Sent) -> Result<()> {
    let request = MediaRequestParameters {
        source: file.source.clone(),
        format: MediaFormat::File,
    };
    let received = device.media().get_media_content(&request, false).await?;
    ensure!(
        received == sent.bytes,
        "{} bytes came back, and they are not the ones that were sent",
        received.len()
    );
    Ok(())
}

/// Bytes that do not repeat, but for the marker now and then.
fn bytes() -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = std::iter::repeat_with(|| {
        // Xorshift: fast, and good enough to be different everywhere.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.take(SIZE / 8).flatten().collect();
    for start in (0..SIZE - MARKER.len()).step_by(100_000) {
        bytes[start..][..MARKER.len()].copy_from_slice(MARKER.as_bytes());
    }
    bytes
}
