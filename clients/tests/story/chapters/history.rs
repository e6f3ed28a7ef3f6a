//! A new device reads what was said before it came.

use anyhow::{Result, ensure};
use clients::{device::Device, seen::Seen};
use matrix_sdk::{encryption::recovery::RecoveryState, ruma::RoomId};

use super::messages::{Told, told};

/// Without the recovery key the telephone can read nothing; with it, it reads everything, in
/// the order in which it was said.
pub(crate) async fn comes_back(
    laptop: &Device,
    phone: &Device,
    room: &RoomId,
    recovery_key: &str,
    expected: &[Told],
) -> Result<()> {
    let backups = laptop.encryption().backups();
    backups.wait_for_steady_state().await?;

    let before = phone.history(room).await?;
    let unreadable = before.iter().filter(|seen| seen.is_unreadable()).count();
    ensure!(
        unreadable >= expected.len() && told(&before).is_empty(),
        "a device without keys could read: {:?}",
        told(&before)
    );

    recover(phone, recovery_key).await?;
    let backups = phone.encryption().backups();
    backups.download_room_keys_for_room(room).await?;
    let after = phone.history(room).await?;
    ensure!(
        told(&after) == expected,
        "the history is {:?}, and {expected:?} was said",
        told(&after)
    );
    ensure!(
        !after.iter().any(Seen::is_unreadable),
        "a part of the history stays unreadable"
    );
    Ok(())
}

async fn recover(phone: &Device, recovery_key: &str) -> Result<()> {
    let encryption = phone.encryption();
    encryption.recovery().recover(recovery_key).await?;
    let state = encryption.recovery().state();
    ensure!(state == RecoveryState::Enabled, "recovery is {state:?}");
    ensure!(
        encryption.backups().are_enabled().await,
        "the telephone does not use the backup"
    );
    let device = encryption.get_own_device().await?;
    ensure!(
        device.is_some_and(|device| device.is_cross_signed_by_owner()),
        "the telephone is not signed by its owner's identity"
    );
    Ok(())
}
