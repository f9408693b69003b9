// SPDX-License-Identifier: Apache-2.0
// Checks that more than one case makes.
import assert from 'node:assert/strict';

/** Thrown by a case that cannot be run here; the reason is printed. */
export class Skip extends Error {}

/** Runs `ask` and fails where its end takes `ms` milliseconds or longer. A pause of this machine is not held against it:
 *  it may be asked twice more. Returns how long it took at first. */
export async function at_once(ms, ask, what) {
  const taken = [];
  for (let turn = 0; turn < 3; ++turn) {
    const begin = performance.now();
    await ask();
    taken.push(performance.now() - begin);
    if (taken.at(-1) < ms) return taken[0];
  }
  throw new Error(`${what} took ${taken.map((one) => one.toFixed()).join(', ')} ms`);
}

/** Most were quick at first. */
export function assert_mostly_within(ms, taken, what) {
  const slow = taken.filter((one) => one >= ms);
  assert.ok(2 * slow.length <= taken.length, `${slow.length} of ${taken.length} times ${what} took ${ms} ms or longer`);
}

/** The answer limpet owes to a session id that leads nowhere. */
export async function assert_refused(response, id, what) {
  assert.equal(response.status, 404, `${what}: status`);
  const type = response.headers.get('content-type') ?? '';
  assert.match(type, /^application\/json/, `${what}: Content-Type`);
  const message = response.message ?? JSON.parse(await response.text());
  assert.equal(message.jsonrpc, '2.0', `${what}: jsonrpc`);
  assert.equal(message.error?.code, -32001, `${what}: error code`);
  assert.equal(typeof message.error?.message, 'string', `${what}: error message`);
  if (id !== undefined) assert.equal(message.id, id, `${what}: the request's id`);
}

/** Runs all, and fails with the number of failures and the first of them. */
export async function all_succeed(what, promises) {
  const ends = await Promise.allSettled(promises);
  const failed = ends.filter((end) => end.status === 'rejected');
  if (failed.length > 0) {
    throw new Error(`${failed.length} of ${ends.length} ${what} failed; first: ${failed[0].reason.message}`);
  }
  return ends.map((end) => end.value);
}
