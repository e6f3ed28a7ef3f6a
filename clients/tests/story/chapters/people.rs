//! People arrive, add a device, and lose one.

use anyhow::{Context as _, Result, ensure};
use clients::{
    device::{Device, Person},
    marker::MARKER,
    plain::Plain,
    server::{NAME, Server},
    verification,
};
use matrix_sdk::ruma::{OwnedDeviceId, UserId};
use serde_json::json;

/// Alice becomes the first administrator on the command line and logs in on her laptop; Bob comes
/// by her invitation, without which he is turned away.
pub(crate) async fn arrive(server: &Server) -> Result<(Device, Device)> {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let typed = format!("{}\n", alice.password);
    let create = ["user", "create", "--admin", alice.name];
    server.command(&create, &typed).await?;
    let printed = server.command(&["invite"], "").await?;
    let token = token_of(&printed)?;

    let uninvited = Device::register(server.url(), &bob, "no such token", "Bob's").await;
    ensure!(uninvited.is_err(), "Bob registered without an invitation");
    let laptop = format!("Alice's laptop, {MARKER}");
    let laptop = Device::log_in(server.url(), &alice, &laptop).await?;
    let telephone = format!("Bob's telephone, {MARKER}");
    let bob = Device::register(server.url(), &bob, token, &telephone).await?;
    for (device, name) in [(&laptop, "alice"), (&bob, "bob")] {
        let (id, expected) = (device.user()?, format!("@{name}:{NAME}"));
        ensure!(id.as_str() == expected, "{expected} is called {id}");
    }
    Ok((laptop, bob))
}

/// The token is the last word that was printed, or the end of a link that is.
fn token_of(printed: &str) -> Result<&str> {
    let word = printed.split_whitespace().last();
    let word = word.context("`conclave invite` printed nothing")?;
    Ok(word.rsplit(['=', '/']).next().unwrap_or(word))
}

/// Both make the keys that sign their devices. Whoever has only stolen an access token cannot put
/// other keys in their place.
pub(crate) async fn get_identities(laptop: &Device, bob: &Device) -> Result<()> {
    const KEY: &str = "wfL0xk7bQqaNV3YqWdXQzJ2Yc7J0xj5J6jXb3yq2v1M";
    for device in [laptop, bob] {
        device.make_identity().await?;
        let other = json!({"master_key": {
            "user_id": device.user()?,
            "usage": ["master"],
            "keys": {format!("ed25519:{KEY}"): KEY},
        }});
        let path = "/_matrix/client/v3/keys/device_signing/upload";
        let answer = device.plain()?.post(path, other).await?;
        answer.asks_for_the_password()?;
    }
    Ok(())
}

/// Alice logs in on a telephone, and Bob and her laptop learn of it without asking.
pub(crate) async fn second_device(laptop: &Device, server: &Server) -> Result<Device> {
    let name = format!("Alice's telephone, {MARKER}");
    let phone = Device::log_in(server.url(), laptop.person(), &name).await?;
    let both = [laptop.id()?, phone.id()?];
    has_devices(laptop, laptop.user()?, &both).await?;
    Ok(phone)
}

/// What the recovery key brought: the telephone trusts Bob, and Bob trusts the telephone.
pub(crate) async fn know_the_second_device(phone: &Device, bob: &Device) -> Result<()> {
    verification::knows(phone, bob.user()?).await?;
    let (alice, id) = (phone.user()?, phone.id()?);
    bob.eventually("Bob trusts Alice's telephone", async || {
        let device = bob.encryption().get_device(alice, &id).await?;
        let trusted = device.is_some_and(|device| device.is_verified_with_cross_signing());
        Ok(trusted.then_some(()))
    })
    .await
}

/// Alice signs her laptop out from her telephone: it can do nothing any more, and Bob learns of it.
pub(crate) async fn lose_the_first_device(
    laptop: &Device,
    phone: &Device,
    bob: &Device,
) -> Result<()> {
    let lost = [laptop.id()?];
    has_devices(bob, phone.user()?, &[lost[0].clone(), phone.id()?]).await?;
    let as_laptop = laptop.plain()?;
    as_laptop.get(WHOAMI).await?.granted()?;

    let Err(error) = phone.delete_devices(&lost, None).await else {
        anyhow::bail!("a device was signed out without asking for the password");
    };
    let proof = phone.prove_with_password(error.as_uiaa_response())?;
    phone.delete_devices(&lost, Some(proof)).await?;

    as_laptop.get(WHOAMI).await?.refused(401, UNKNOWN_TOKEN)?;
    let errcode = laptop.is_signed_out().await?;
    ensure!(errcode == UNKNOWN_TOKEN, "the waiting sync got {errcode}");
    has_devices(bob, phone.user()?, &[phone.id()?]).await?;
    only_this_session_is_left(&phone.plain()?, &phone.id()?).await
}

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const UNKNOWN_TOKEN: &str = "M_UNKNOWN_TOKEN";

/// Waits until syncing has told `device` that these are the other's devices.
async fn has_devices(device: &Device, other: &UserId, expected: &[OwnedDeviceId]) -> Result<()> {
    let mut expected = expected.to_vec();
    expected.sort();
    let what = format!("{} knows that {other} has {expected:?}", device.user()?);
    device
        .eventually(&what, async || {
            let devices = device.encryption().get_user_devices(other).await?;
            let mut known: Vec<OwnedDeviceId> = devices.keys().map(ToOwned::to_owned).collect();
            known.sort();
            Ok((known == expected).then_some(()))
        })
        .await
}

async fn only_this_session_is_left(plain: &Plain, id: &OwnedDeviceId) -> Result<()> {
    let answer = plain.get("/_matrix/client/v3/devices").await?.granted()?;
    let devices = answer["devices"].as_array().context("no list of devices")?;
    let ids: Vec<_> = devices.iter().map(|device| &device["device_id"]).collect();
    ensure!(
        ids == [id.as_str()],
        "the sessions that are left are {ids:?}"
    );
    Ok(())
}
