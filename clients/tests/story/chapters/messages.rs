//! A hundred messages each way.

use anyhow::{Result, ensure};
use clients::{device::Device, marker::MARKER, seen::Seen};
use matrix_sdk::ruma::{OwnedEventId, RoomId, UserId};

/// How many each of the two sends: as many as one session of the clients' encryption lasts.
const EACH: usize = 100;

/// A text as it was told: the event's id and what it says.
pub(crate) type Told = (OwnedEventId, String);

/// Both talk at the same time; both hear everything, in one order, in which each one's words
/// stand as they were sent. That order is returned.
pub(crate) async fn talk(alice: &Device, bob: &Device, room: &RoomId) -> Result<Vec<Told>> {
    let (by_alice, by_bob) = tokio::try_join!(
        alice.send_texts(room, lines("Alice")),
        bob.send_texts(room, lines("Bob")),
    )?;
    let heard_by_alice = told(&alice.has_seen_texts(room, 2 * EACH).await?);
    let heard_by_bob = told(&bob.has_seen_texts(room, 2 * EACH).await?);
    ensure!(
        heard_by_alice == heard_by_bob,
        "the two do not hear the same: {heard_by_alice:?} and {heard_by_bob:?}"
    );
    for (device, speaker, sent) in [(alice, "Alice", by_alice), (bob, "Bob", by_bob)] {
        let heard = of(&bob.seen(room), device.user()?);
        let expected: Vec<Told> = sent.into_iter().zip(lines(speaker)).collect();
        ensure!(
            heard == expected,
            "{speaker} sent {expected:?}, and this was heard: {heard:?}"
        );
    }
    for device in [alice, bob] {
        let seen = device.seen(room);
        ensure!(
            !seen.iter().any(Seen::is_unreadable),
            "{} could not decrypt everything when it came",
            device.user()?
        );
    }
    Ok(heard_by_alice)
}

/// Without the laptop the two go on: Bob's next words are for the telephone alone.
pub(crate) async fn go_on(
    bob: &Device,
    phone: &Device,
    laptop: &Device,
    room: &RoomId,
) -> Result<()> {
    let before = told(&phone.seen(room)).len();
    let heard_by_laptop = laptop.seen(room).len();
    let words = format!("{MARKER}: did you find them?");
    bob.send_texts(room, [words.clone()]).await?;
    let heard = told(&phone.has_seen_texts(room, before + 1).await?);
    ensure!(
        heard.last().is_some_and(|(_, text)| *text == words),
        "the telephone hears {heard:?}"
    );
    ensure!(
        laptop.seen(room).len() == heard_by_laptop,
        "a device that was signed out still hears"
    );
    Ok(())
}

/// The texts among what was seen.
pub(crate) fn told(seen: &[Seen]) -> Vec<Told> {
    let texts = seen.iter();
    texts
        .filter_map(|seen| Some((seen.id.clone(), seen.text()?.to_owned())))
        .collect()
}

/// The texts that one person sent, encrypted.
fn of(seen: &[Seen], sender: &UserId) -> Vec<Told> {
    let theirs: Vec<Seen> = seen
        .iter()
        .filter(|seen| seen.sender == sender && seen.encrypted)
        .cloned()
        .collect();
    told(&theirs)
}

fn lines(speaker: &str) -> impl Iterator<Item = String> {
    (1..=EACH).map(move |number| format!("{speaker} says, {number}: {MARKER}"))
}
