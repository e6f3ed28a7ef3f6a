//! Keys are kept on the server, sealed for whoever holds the recovery key.

import { ensure, eventually } from "./waiting.mjs";

/** Makes a recovery key, keeps the person's secrets under it, and begins a backup. */
export async function begin(device) {
  const key = await device.crypto.createRecoveryKeyFromPassphrase();
  device.useRecoveryKey(key.encodedPrivateKey);
  await device.crypto.bootstrapSecretStorage({
    createSecretStorageKey: async () => key,
    setupNewSecretStorage: true,
    setupNewKeyBackup: true,
  });
  ensure(await device.crypto.isSecretStorageReady(), "the secrets are not stored");
  ensure(await device.crypto.getActiveSessionBackupVersion(), "there is no backup");
  return key.encodedPrivateKey;
}

/** Waits until every key of this device is in the backup. */
export async function isComplete(device) {
  await eventually("the backup is complete", async () => {
    const own = (await device.crypto.exportRoomKeys()).length;
    // The client would give what it has heard before.
    const { count } = await device.plain("GET", "/room_keys/version");
    return own > 0 && count >= own;
  });
}
