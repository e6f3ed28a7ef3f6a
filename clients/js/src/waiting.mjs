//! Waiting for what another program is about to do, for a bounded time.

/** How long anything may take. Long polls are asked to last longer, so that a server that does not
 * wake them fails the story instead of slowing it down. */
const PATIENCE_MS = 60_000;

const PAUSE_MS = 25;

/** Asks again and again until `probe` finds something; `what` completes the sentence "waited in
 * vain until …". */
export async function eventually(what, probe) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== null && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resume) => setTimeout(resume, PAUSE_MS));
  }
}

/** Fails with this sentence unless `holds`. */
export function ensure(holds, sentence) {
  if (!holds) throw new Error(sentence);
}
