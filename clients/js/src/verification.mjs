//! Two people compare seven pictures, and from then on know each other's devices.

import { VerificationPhase, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

import { ensure, eventually } from "./waiting.mjs";

/** Goes through the whole conversation and waits until both know the other as verified. */
export async function verifyEachOther(first, second, room) {
  await eventually("the other's identity is known", () =>
    first.crypto.userHasCrossSigningKeys(second.user, true),
  );
  const asked = await first.crypto.requestVerificationDM(second.user, room);
  const answered = await eventually("the request for verification arrives", () =>
    second.requests.find((request) => request.transactionId === asked.transactionId),
  );
  await answered.accept();
  await eventually("the request is accepted", () => asked.phase === VerificationPhase.Ready);
  const asking = await asked.startVerification("m.sas.v1");
  const answering = await eventually("the verification starts", () => answered.verifier);

  const shown = [pictures(asking), pictures(answering)];
  const done = Promise.all([asking.verify(), answering.verify()]);
  // A verification that is cancelled fails here, not while the pictures are waited for.
  const [firstSas, secondSas] = await Promise.race([Promise.all(shown), done.then(() => [])]);
  const [one, other] = [firstSas, secondSas].map((sas) => JSON.stringify(sas.sas.emoji));
  ensure(one === other, `the pictures differ: ${one} and ${other}`);
  ensure(firstSas.sas.emoji.length === 7, "there are not seven pictures");
  await Promise.all([firstSas.confirm(), secondSas.confirm()]);
  await done;
  await knows(first, second.user);
  await knows(second, first.user);
}

/** Waits until `device` knows that `user` is who they say. */
export async function knows(device, user) {
  await eventually(`${device.person.name} has verified ${user}`, async () => {
    await device.crypto.getUserDeviceInfo([user], true);
    const status = await device.crypto.getUserVerificationStatus(user);
    return status.isCrossSigningVerified();
  });
}

function pictures(verifier) {
  return new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve));
}
