//! People arrive, make their identities, add a device, and lose one.

import { Device } from "./device.mjs";
import { ensure, eventually } from "./waiting.mjs";

/** Alice logs in; Bob comes by her invitation, without which he is turned away. */
export async function arrive({ server, name, alice, bob, token }) {
  const laptop = await Device.logIn(server, alice, "Alice's laptop");
  const uninvited = Device.register(server, bob, "no such token", "Bob's");
  const refused = await uninvited.then(() => false, () => true);
  ensure(refused, "Bob registered without an invitation");
  const telephone = await Device.register(server, bob, token, "Bob's telephone");
  for (const device of [laptop, telephone]) {
    const expected = `@${device.person.name}:${name}`;
    ensure(device.user === expected, `${expected} is called ${device.user}`);
  }
  return [laptop, telephone];
}

/** Makes the keys that sign a person's devices. */
export async function makeIdentity(device) {
  await device.crypto.bootstrapCrossSigning({
    authUploadDeviceSigningKeys: (request) => device.withPassword((proof) => request(proof ?? null)),
  });
  const status = await device.crypto.getCrossSigningStatus();
  const { masterKey, selfSigningKey, userSigningKey } = status.privateKeysCachedLocally;
  ensure(
    status.publicKeysOnDevice && masterKey && selfSigningKey && userSigningKey,
    `${device.person.name} has no complete identity`,
  );
  await isSigned(device, device);
}

/** Waits until `other` is signed by its owner, as `device` sees it. */
export async function isSigned(device, other) {
  await eventually(`${device.person.name} sees that ${other.id} is signed`, async () => {
    const status = await device.crypto.getDeviceVerificationStatus(other.user, other.id);
    return status?.signedByOwner;
  });
}

/** Alice signs her laptop out from her telephone: it can do nothing any more, and Bob learns of
 * it. */
export async function loseTheLaptop(laptop, phone, bob) {
  await hasDevices(bob, phone.user, [laptop.id, phone.id]);
  await laptop.client.whoami();
  let asked = 0;
  await phone.withPassword((proof) => {
    asked += 1;
    return phone.client.deleteMultipleDevices([laptop.id], proof);
  });
  ensure(asked === 2, "a device was signed out without asking for the password");
  await eventually("the laptop is signed out", () => laptop.signedOut === "M_UNKNOWN_TOKEN");
  const still = await laptop.client.whoami().then(() => true, () => false);
  ensure(!still, "a device that was signed out is still answered");
  laptop.stop();
  await hasDevices(bob, phone.user, [phone.id]);
}

/** Waits until syncing has told `device` that these are the other's devices. */
export async function hasDevices(device, user, expected) {
  const wanted = expected.toSorted().join();
  await eventually(`${device.person.name} knows the devices ${wanted} of ${user}`, async () => {
    const known = await device.crypto.getUserDeviceInfo([user]);
    return [...(known.get(user)?.keys() ?? [])].toSorted().join() === wanted;
  });
}
