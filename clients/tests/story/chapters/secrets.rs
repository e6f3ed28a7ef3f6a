//! What nobody but the people themselves can read.

use anyhow::{Context as _, Result, ensure};
use clients::{device::Device, marker::MARKER};
use matrix_sdk::ruma::RoomId;
use serde_json::Value;

/// Every message of the room is ciphertext to the server, as it shows by its own answers.
pub(crate) async fn the_server_sees_ciphertext(
    device: &Device,
    room: &RoomId,
    texts: usize,
) -> Result<()> {
    let plain = device.plain()?;
    let base = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100");
    let mut from = String::new();
    let mut encrypted = 0;
    for _ in 0..50 {
        let page = plain.get(&format!("{base}{from}")).await?.granted()?;
        let events = page["chunk"].as_array().context("a page has no chunk")?;
        for event in events.iter().filter(|event| event["state_key"].is_null()) {
            is_ciphertext(event)?;
            encrypted += 1;
        }
        let Some(end) = page["end"].as_str() else {
            // The file is one more, and the steps of the verification are, too.
            ensure!(encrypted > texts, "there are {encrypted} events only");
            return Ok(());
        };
        from = format!("&from={end}");
    }
    anyhow::bail!("the history of the room has no beginning")
}

fn is_ciphertext(event: &Value) -> Result<()> {
    ensure!(event["type"] == "m.room.encrypted", "in clear: {event}");
    let content = &event["content"];
    ensure!(
        content["ciphertext"].is_string() && content["body"].is_null(),
        "not encrypted: {event}"
    );
    ensure!(!event.to_string().contains(MARKER), "readable: {event}");
    Ok(())
}
