//! Two people compare seven pictures, and from then on know each other's devices.

use anyhow::{Context as _, Result, ensure};
use matrix_sdk::{
    encryption::verification::{SasVerification, VerificationRequest, VerificationRequestState},
    ruma::{UserId, events::key::verification::VerificationMethod},
};

use crate::device::Device;

/// Goes through the whole conversation, in the room that the first has marked as theirs, and waits
/// until both know the other as verified.
///
/// # Errors
///
/// When a step does not come in time, or the pictures differ.
pub async fn verify_each_other(first: &Device, second: &Device) -> Result<()> {
    let (asked, answered) = request(first, second).await?;
    let sas = asked.start_sas().await?;
    let first_sas = sas.context("the verification cannot start")?;
    let second_sas = second
        .eventually("the verification starts", async || {
            Ok(started(&answered.state()))
        })
        .await?;
    second_sas.accept().await?;

    let first_pictures = pictures(first, &first_sas).await?;
    let second_pictures = pictures(second, &second_sas).await?;
    ensure!(
        first_pictures == second_pictures,
        "the pictures differ: {first_pictures:?} and {second_pictures:?}"
    );
    first_sas.confirm().await?;
    second_sas.confirm().await?;
    for (device, sas) in [(first, &first_sas), (second, &second_sas)] {
        let what = "the verification is done";
        device
            .eventually(what, async || {
                fail_if_cancelled(sas)?;
                Ok(sas.is_done().then_some(()))
            })
            .await?;
    }
    knows(first, second.user()?).await?;
    knows(second, first.user()?).await
}

/// Waits until `device` knows that `other` is who they say.
///
/// # Errors
///
/// When it does not learn that in time.
pub async fn knows(device: &Device, other: &UserId) -> Result<()> {
    let what = format!("{other} is verified");
    device
        .eventually(&what, async || {
            // Asks the server: what was verified is what it will tell a device yet to come.
            let identity = device.encryption().request_user_identity(other).await?;
            let verified = identity.is_some_and(|identity| identity.is_verified());
            Ok(verified.then_some(()))
        })
        .await
}

/// The same request on both sides, accepted.
async fn request(
    first: &Device,
    second: &Device,
) -> Result<(VerificationRequest, VerificationRequest)> {
    let methods = || vec![VerificationMethod::SasV1];
    let other = second.user()?;
    let identity = first
        .eventually("the other's identity is known", async || {
            Ok(first.encryption().request_user_identity(other).await?)
        })
        .await?;
    let asked = identity
        .request_verification_with_methods(methods())
        .await?;
    let (asking, flow) = (first.user()?, asked.flow_id());
    let answered = second
        .eventually("the request for verification arrives", async || {
            let encryption = second.encryption();
            Ok(encryption.get_verification_request(asking, flow).await)
        })
        .await?;
    answered.accept_with_methods(methods()).await?;
    first
        .eventually("the request for verification is accepted", async || {
            Ok(asked.is_ready().then_some(()))
        })
        .await?;
    Ok((asked, answered))
}

fn started(state: &VerificationRequestState) -> Option<SasVerification> {
    match state {
        VerificationRequestState::Transitioned { verification } => verification.clone().sas(),
        _ => None,
    }
}

/// The names of the pictures that this device shows.
async fn pictures(device: &Device, sas: &SasVerification) -> Result<Vec<&'static str>> {
    device
        .eventually("the pictures are shown", async || {
            fail_if_cancelled(sas)?;
            let shown = sas.emoji();
            Ok(shown.map(|shown| shown.iter().map(|picture| picture.description).collect()))
        })
        .await
}

fn fail_if_cancelled(sas: &SasVerification) -> Result<()> {
    let reason = sas.cancel_info().map(|info| info.reason().to_owned());
    ensure!(
        !sas.is_cancelled(),
        "the verification was cancelled: {}",
        reason.unwrap_or_default()
    );
    Ok(())
}
