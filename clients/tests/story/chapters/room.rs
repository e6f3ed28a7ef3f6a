//! A room is opened, as the server's mode says.

use anyhow::{Result, ensure};
use clients::{device::Device, marker::MARKER, server::Encryption, waiting::eventually};
use matrix_sdk::ruma::{
    OwnedRoomId, RoomId,
    api::client::room::create_room::v3::{Request, RoomPreset},
    assign,
    events::{
        InitialStateEvent, room::encryption::RoomEncryptionEventContent,
        room::member::MembershipState,
    },
};
use serde_json::{Value, json};

const CREATE_ROOM: &str = "/_matrix/client/v3/createRoom";

/// Opens a private room; the client asks for encryption only where the server leaves it to it.
pub(crate) async fn open(alice: &Device, encryption: Encryption) -> Result<OwnedRoomId> {
    let mut request = assign!(Request::new(), {
        preset: Some(RoomPreset::PrivateChat),
        name: Some(format!("{MARKER}, and how to find them")),
        topic: Some(format!("About {MARKER}")),
    });
    if encryption == Encryption::Off {
        let content = RoomEncryptionEventContent::with_recommended_defaults();
        let event = InitialStateEvent::with_empty_state_key(content);
        request.initial_state.push(event.to_raw_any());
    }
    let room = alice.create_room(request).await?.room_id().to_owned();
    let state = format!("/_matrix/client/v3/rooms/{room}/state/m.room.encryption");
    let content = alice.plain()?.get(&state).await?.granted()?;
    ensure!(
        content["algorithm"] == "m.megolm.v1.aes-sha2",
        "the room is not encrypted: {content}"
    );
    alice
        .eventually("Alice's client knows the room", async || {
            let room = alice.get_room(&room);
            let known = room.is_some_and(|room| room.encryption_state().is_encrypted());
            Ok(known.then_some(()))
        })
        .await?;
    Ok(room)
}

/// What the mode leaves to the clients passes, and what it does not is refused.
pub(crate) async fn keeps_its_mode(
    alice: &Device,
    room: &RoomId,
    encryption: Encryption,
) -> Result<()> {
    let plain = alice.plain()?;
    let public = json!({"preset": "public_chat"});
    let public = plain.post(CREATE_ROOM, public).await?;
    let space = json!({"preset": "private_chat", "creation_content": {"type": "m.space"}});
    let space = plain.post(CREATE_ROOM, space).await?.granted()?;
    let private = json!({"preset": "private_chat"});
    let private = plain.post(CREATE_ROOM, private).await?.granted()?;

    ensure!(!is_encrypted(alice, &space).await?, "a space is encrypted");
    let asked = encryption == Encryption::Off;
    ensure!(
        is_encrypted(alice, &private).await? != asked,
        "whether a private room is encrypted does not follow from {encryption:?}"
    );
    if encryption == Encryption::Required {
        public.refused(403, "M_FORBIDDEN")?;
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/readable");
        let message = json!({"msgtype": "m.text", "body": "readable by the server"});
        plain.put(&path, message).await?.refused(403, "M_FORBIDDEN")
    } else {
        let public = public.granted()?;
        ensure!(
            !is_encrypted(alice, &public).await?,
            "a public room is encrypted"
        );
        let id = public["room_id"].as_str().unwrap_or_default();
        let path = format!("/_matrix/client/v3/rooms/{id}/send/m.room.message/readable");
        let message = json!({"msgtype": "m.text", "body": "readable by the server"});
        plain.put(&path, message).await?.granted().map(drop)
    }
}

async fn is_encrypted(alice: &Device, created: &Value) -> Result<bool> {
    let id = created["room_id"].as_str().unwrap_or_default();
    let path = format!("/_matrix/client/v3/rooms/{id}/state/m.room.encryption");
    let answer = alice.plain()?.get(&path).await?;
    match answer.clone().granted() {
        Ok(_) => Ok(true),
        Err(_) => answer.refused(404, "M_NOT_FOUND").map(|()| false),
    }
}

/// Bob gets an invitation and follows it; Alice's client keeps the room as the one for the two.
pub(crate) async fn bring_in(alice: &Device, room: &RoomId, bob: &Device) -> Result<()> {
    let guest = bob.user()?;
    alice.room(room)?.invite_user_by_id(guest).await?;
    let invitation = bob
        .eventually("Bob is invited", async || {
            Ok(bob
                .invited_rooms()
                .into_iter()
                .find(|known| known.room_id() == room))
        })
        .await?;
    invitation.join().await?;
    alice
        .eventually("Alice sees Bob join", async || {
            let member = alice.room(room)?.get_member_no_sync(guest).await?;
            let joined = member.is_some_and(|member| *member.membership() == MembershipState::Join);
            Ok(joined.then_some(()))
        })
        .await?;
    let guests = [guest.to_owned()];
    alice.account().mark_as_dm(room, &guests).await?;
    eventually("Alice's client keeps the room for the two", async || {
        let kept = alice.get_dm_room(guest);
        Ok(kept.filter(|kept| kept.room_id() == room).map(drop))
    })
    .await?;
    bob.eventually(
        "Bob's client knows that the room is encrypted",
        async || {
            let encrypted = bob.room(room)?.encryption_state().is_encrypted();
            Ok(encrypted.then_some(()))
        },
    )
    .await
}
