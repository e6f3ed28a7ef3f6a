//! An encrypted file goes from one person to the other.

import { Attachment, EncryptedAttachment } from "@matrix-org/matrix-sdk-crypto-wasm";

import { ensure, eventually } from "./waiting.mjs";

const SIZE = 700_000;

/** Encrypts a file, uploads it and tells the room of it. */
export async function send(device, room, marker) {
  const bytes = Buffer.alloc(SIZE, `${marker}, and a file of it. `);
  const sealed = Attachment.encrypt(new Uint8Array(bytes));
  const { content_uri: url } = await device.client.uploadContent(
    new Blob([sealed.encryptedData], { type: "application/octet-stream" }),
  );
  const { event_id: id } = await device.client.sendMessage(room, {
    msgtype: "m.file",
    body: `${marker}.txt`,
    file: { ...JSON.parse(sealed.mediaEncryptionInfo), url },
  });
  return { id, bytes };
}

/** Finds the file among what the device has seen, downloads it and opens it. */
export async function arrives(device, room, { id, bytes }) {
  const event = await eventually(`the file reaches ${device.person.name}`, () => {
    const seen = device.client.getRoom(room).getLiveTimeline().getEvents();
    return seen.find((event) => event.getId() === id && event.getContent().file);
  });
  const { file } = event.getContent();
  const url = device.client.mxcUrlToHttp(file.url, undefined, undefined, undefined, false, true, true);
  const token = device.client.getAccessToken();
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  ensure(answer.ok, `the file was answered with ${answer.status}`);
  const stored = new Uint8Array(await answer.arrayBuffer());
  ensure(!Buffer.from(stored).includes("and a file of it"), "the server holds the file in clear");
  const opened = Attachment.decrypt(new EncryptedAttachment(stored, JSON.stringify(file)));
  ensure(bytes.equals(Buffer.from(opened)), "the file did not come as it was sent");
}
