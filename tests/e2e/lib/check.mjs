// SPDX-License-Identifier: Apache-2.0
// Checks that more than one case makes.
import assert from 'node:assert/strict';

/** Thrown by a case that cannot be run here; the reason is printed. */
export class Skip extends Error {}

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
