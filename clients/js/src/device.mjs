//! A person's device: a client of matrix-js-sdk with its Rust cryptography, which syncs all the
//! time.

import * as sdk from "matrix-js-sdk";
import { CryptoEvent, decodeRecoveryKey } from "matrix-js-sdk/lib/crypto-api/index.js";

import { ensure, eventually } from "./waiting.mjs";

/** Longer than anything here may take: a server that does not wake a poll is found out. */
const LONG_POLL_MS = 300_000;

/** More events than a story has, so that no response leaves any out. */
const TIMELINE_LIMIT = 1_000;

const SILENT = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error(...words) {
    process.stderr.write(`matrix-js-sdk: ${words.join(" ")}\n`);
  },
  getChild() {
    return SILENT;
  },
};

/** What `request` gives with the proofs that the server asks for, one after another. */
async function withProofs(request, prove) {
  let proof;
  for (let stage = 0; stage < 4; stage += 1) {
    try {
      return await request(proof);
    } catch (error) {
      const question = error.data;
      if (error.httpStatus !== 401 || !question?.flows) throw error;
      ensure(!question.errcode, `a proof was refused: ${question.error}`);
      proof = prove(question);
    }
  }
  throw new Error("the server asks for ever more proofs");
}

export class Device {
  /** Signs in with the password. */
  static async logIn(server, person, deviceName) {
    const nobody = sdk.createClient({ baseUrl: server, logger: SILENT });
    const session = await nobody.loginRequest({
      type: "m.login.password",
      identifier: { type: "m.id.user", user: person.name },
      password: person.password,
      initial_device_display_name: deviceName,
    });
    return Device.#start(server, person, session);
  }

  /** Makes an account with the token of an invitation, and signs in. */
  static async register(server, person, token, deviceName) {
    const nobody = sdk.createClient({ baseUrl: server, logger: SILENT });
    const register = (auth) =>
      nobody.registerRequest({
        username: person.name,
        password: person.password,
        initial_device_display_name: deviceName,
        auth,
      });
    const session = await withProofs(register, ({ flows, completed = [], session }) => {
      const flow = flows.find(({ stages }) => stages.includes("m.login.registration_token"));
      ensure(flow, `no flow takes a token: ${JSON.stringify(flows)}`);
      const type = flow.stages.find((stage) => !completed.includes(stage));
      return type === "m.login.registration_token" ? { type, token, session } : { type, session };
    });
    return Device.#start(server, person, session);
  }

  static async #start(server, person, session) {
    const device = new Device(server, person, session);
    await device.client.initRustCrypto({ useIndexedDB: false });
    const filter = new sdk.Filter(device.user);
    filter.setTimelineLimit(TIMELINE_LIMIT);
    await device.client.startClient({
      filter,
      initialSyncLimit: TIMELINE_LIMIT,
      pollTimeout: LONG_POLL_MS,
      // So that what this device sees stands in the server's order, its own words too.
      pendingEventOrdering: sdk.PendingEventOrdering.Detached,
    });
    await eventually(`${person.name} has synced`, () => device.client.isInitialSyncComplete());
    return device;
  }

  constructor(server, person, session) {
    this.person = person;
    this.user = session.user_id;
    this.id = session.device_id;
    this.recoveryKey = undefined;
    this.signedOut = undefined;
    this.requests = [];
    this.client = sdk.createClient({
      baseUrl: server,
      userId: session.user_id,
      deviceId: session.device_id,
      accessToken: session.access_token,
      logger: SILENT,
      verificationMethods: ["m.sas.v1"],
      cryptoCallbacks: { getSecretStorageKey: async ({ keys }) => this.#secretStorageKey(keys) },
    });
    this.client.on(sdk.HttpApiEvent.SessionLoggedOut, (error) => {
      this.signedOut = error.errcode;
    });
    this.client.on(CryptoEvent.VerificationRequestReceived, (request) => {
      this.requests.push(request);
    });
  }

  get crypto() {
    return this.client.getCrypto();
  }

  stop() {
    this.client.stopClient();
  }

  /** Opens the secrets that are stored on the server, from now on. */
  useRecoveryKey(text) {
    this.recoveryKey = decodeRecoveryKey(text);
  }

  #secretStorageKey(keys) {
    ensure(this.recoveryKey, `${this.person.name} has no recovery key`);
    const [id] = Object.keys(keys);
    return [id, this.recoveryKey];
  }

  /** Does what needs the password. */
  withPassword(request) {
    return withProofs(request, ({ flows, session }) => {
      const [type] = ["m.login.password"];
      const suffices = flows.some(({ stages }) => stages.length === 1 && stages[0] === type);
      ensure(suffices, `the password does not suffice: ${JSON.stringify(flows)}`);
      const identifier = { type: "m.id.user", user: this.user };
      return { type, identifier, password: this.person.password, session };
    });
  }

  /** Sends a request as this device, without its client's help. */
  plain(method, path, body) {
    return this.client.http.authedRequest(method, path, undefined, body);
  }

  async knowsRoom(room) {
    await eventually(`${this.person.name} knows that ${room} is encrypted`, () =>
      this.crypto.isEncryptionEnabledInRoom(room),
    );
    await eventually(
      `${this.person.name} is in ${room}`,
      () => this.client.getRoom(room)?.getMyMembership() === "join",
    );
  }

  /** Sends texts, one after another. */
  async tell(room, texts) {
    const told = [];
    for (const text of texts) {
      const { event_id: id } = await this.client.sendTextMessage(room, text);
      told.push([id, text]);
    }
    return told;
  }

  /** Every text that came to this device while it was syncing, in its order. */
  heard(room) {
    return texts(this.client.getRoom(room)?.getLiveTimeline().getEvents() ?? []);
  }

  /** Waits until this device has heard this many texts. */
  async hears(room, count) {
    try {
      return await eventually(`${this.person.name} hears ${count} texts`, () => {
        const heard = this.heard(room);
        return heard.length >= count && heard;
      });
    } catch (error) {
      throw new Error(`${this.heard(room).length} came`, { cause: error });
    }
  }

  /** Every message of a room, oldest first, as the server tells them afterwards. */
  async history(room) {
    const toEvent = this.client.getEventMapper({ preventReEmit: true });
    const events = [];
    let from = null;
    for (let pages = 0; pages < 50; pages += 1) {
      const page = await this.client.createMessagesRequest(room, from, 40, sdk.Direction.Backward);
      events.push(...page.chunk.map((raw) => toEvent(raw)));
      if (!page.end) {
        await Promise.all(events.map((event) => this.client.decryptEventIfNeeded(event)));
        return events.reverse();
      }
      ensure(page.end !== from, "a page of the history leads to itself");
      from = page.end;
    }
    throw new Error("the history of the room has no beginning");
  }
}

/** The texts among events, each as its event's id and what it says. */
export function texts(events) {
  return events
    .filter((event) => event.getType() === "m.room.message" && !event.isDecryptionFailure())
    .filter((event) => event.getContent().msgtype === "m.text" && event.isEncrypted())
    .map((event) => [event.getId(), event.getContent().body]);
}
