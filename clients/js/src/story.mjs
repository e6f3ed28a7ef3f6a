//! Two people, three devices: from an empty server to a device that is signed out; and a third
//! person, whose first device is another client, and whose key backup that client made.
//!
//! What there is to play with comes as JSON on standard input; what another client needs to go on
//! leaves as JSON on standard output. `cargo xtask test --clients` starts a server and plays it.

import "./quiet.mjs";

import * as backup from "./backup.mjs";
import { Device } from "./device.mjs";
import * as file from "./file.mjs";
import * as people from "./people.mjs";
import * as room from "./room.mjs";
import { verifyEachOther, knows } from "./verification.mjs";
import { eventually } from "./waiting.mjs";

/** Names the chapter in which a story fails. */
async function chapter(name, play) {
  try {
    return await play();
  } catch (error) {
    throw new Error(`chapter "${name}"`, { cause: error });
  }
}

async function story(scene) {
  const { server, marker } = scene;
  const [laptop, bob] = await chapter("people arrive", () => people.arrive(scene));
  await chapter("they make their identities", async () => {
    await people.makeIdentity(laptop);
    await people.makeIdentity(bob);
  });
  const recoveryKey = await chapter("a backup begins", () => backup.begin(laptop));
  const id = await chapter("a room is opened", () => room.open(laptop, bob, marker));
  await chapter("they compare pictures", () => verifyEachOther(laptop, bob, id));
  const told = await chapter("they talk", () => room.talk(laptop, bob, id, marker));
  await chapter("a file is sent", async () => {
    const sent = await file.send(laptop, id, marker);
    await file.arrives(bob, id, sent);
  });
  const phone = await chapter("a second device recovers everything", async () => {
    await backup.isComplete(laptop);
    const phone = await Device.logIn(server, scene.alice, "Alice's telephone");
    await people.hasDevices(laptop, laptop.user, [laptop.id, phone.id]);
    await room.comesBack(phone, id, recoveryKey, told);
    await people.isSigned(bob, phone);
    await knows(phone, bob.user);
    return phone;
  });
  await chapter("the server sees ciphertext", () =>
    room.isCiphertext(phone, id, marker, told.length),
  );
  await chapter("the first device is signed out", () => people.loseTheLaptop(laptop, phone, bob));
  const last = await chapter("the two go on", async () => {
    const [last] = await bob.tell(id, [`${marker}: did you find them?`]);
    await eventually("the telephone hears what Bob says", () =>
      phone.heard(id).some((heard) => room.same(heard, last)),
    );
    return last;
  });
  await backup.isComplete(phone);
  bob.stop();
  phone.stop();
  return { recoveryKey, room: id, texts: [...told, last] };
}

/** Carol's other client made the backup; this one restores it, and is heard by that one. */
async function goesOnFromAnother({ server, carol, marker }) {
  const device = await Device.logIn(server, carol, "Carol's other client");
  await device.knowsRoom(carol.room);
  await room.comesBack(device, carol.room, carol.recoveryKey, carol.texts);
  const [answer] = await device.tell(carol.room, [`${marker}: I found them`]);
  device.stop();
  return answer;
}

async function input() {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

const scene = await input();
const outcome = await story(scene);
const answer = await chapter("a backup of another client", () => goesOnFromAnother(scene));
process.stdout.write(`${JSON.stringify({ ...outcome, answer })}\n`);
// Timers of the library are no reason to stay.
process.exit(0);
