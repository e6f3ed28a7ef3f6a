//! A room is opened, and two people talk in it.

import { ensure, eventually } from "./waiting.mjs";
import { texts } from "./device.mjs";

/** How many texts each of the two sends: as many as one session of the encryption lasts. */
export const EACH = 100;

/** Opens a private room, which the server encrypts without being asked, and brings Bob in. */
export async function open(alice, bob, marker) {
  const { room_id: room } = await alice.client.createRoom({
    preset: "private_chat",
    name: `${marker}, and how to find them`,
  });
  await alice.knowsRoom(room);
  await alice.client.invite(room, bob.user);
  await eventually(
    "Bob is invited",
    () => bob.client.getRoom(room)?.getMyMembership() === "invite",
  );
  await bob.client.joinRoom(room);
  await bob.knowsRoom(room);
  await eventually("Alice sees Bob join", () => {
    const member = alice.client.getRoom(room).getMember(bob.user);
    return member?.membership === "join";
  });
  await alice.client.setAccountData("m.direct", { [bob.user]: [room] });
  return room;
}

/** Both talk at the same time; both hear everything, in one order, in which each one's words stand
 * as they were sent. That order is returned. */
export async function talk(alice, bob, room, marker) {
  const [byAlice, byBob] = await Promise.all([
    alice.tell(room, lines("Alice", marker)),
    bob.tell(room, lines("Bob", marker)),
  ]);
  const [heardByAlice, heardByBob] = await Promise.all([
    alice.hears(room, 2 * EACH),
    bob.hears(room, 2 * EACH),
  ]);
  ensure(same(heardByAlice, heardByBob), "the two do not hear the same");
  for (const [speaker, sent] of [["Alice", byAlice], ["Bob", byBob]]) {
    const ids = new Set(sent.map(([id]) => id));
    const heard = heardByBob.filter(([id]) => ids.has(id));
    ensure(same(heard, sent), `what ${speaker} said was not heard as it was said`);
  }
  return heardByAlice;
}

/** A new device can read nothing without the recovery key, and everything with it. */
export async function comesBack(phone, room, recoveryKey, expected) {
  const before = await phone.history(room);
  const unreadable = before.filter((event) => event.isDecryptionFailure()).length;
  ensure(
    unreadable >= expected.length && texts(before).length === 0,
    `a device without keys could read: ${JSON.stringify(texts(before))}`,
  );
  phone.useRecoveryKey(recoveryKey);
  // The client imports private keys only where it knows the public ones already.
  await eventually(`${phone.person.name}'s identity is known to the new device`, () =>
    phone.crypto.userHasCrossSigningKeys(phone.user, true),
  );
  await phone.crypto.bootstrapCrossSigning({});
  await phone.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
  const backup = await phone.crypto.checkKeyBackupAndEnable();
  ensure(backup?.trustInfo.trusted, "the telephone does not trust the backup");
  const { imported, total } = await phone.crypto.restoreKeyBackup();
  ensure(imported === total && total > 0, `${imported} of ${total} keys were restored`);
  const after = await phone.history(room);
  ensure(same(texts(after), expected), "the history is not what was said");
  ensure(
    !after.some((event) => event.isDecryptionFailure()),
    "a part of the history stays unreadable",
  );
}

/** What was said is ciphertext to the server, as it shows by its own answers. The steps of a
 * verification are no secrets: this client sends some in clear. */
export async function isCiphertext(device, room, marker, atLeast) {
  const raw = (await device.history(room)).map((event) => event.event);
  const isStep = ({ type, content }) =>
    `${type} ${content.msgtype}`.includes("m.key.verification.");
  const said = raw.filter((event) => event.state_key === undefined && !isStep(event));
  ensure(said.length > atLeast, `there are ${said.length} events only`);
  for (const event of said) {
    const hidden = event.type === "m.room.encrypted" && event.content.ciphertext;
    const readable = JSON.stringify(event);
    ensure(hidden && !readable.includes(marker), `an event is readable: ${readable}`);
  }
}

export function same(some, others) {
  return JSON.stringify(some) === JSON.stringify(others);
}

function lines(speaker, marker) {
  return Array.from({ length: EACH }, (_, index) => `${speaker} says, ${index + 1}: ${marker}`);
}
