// SPDX-License-Identifier: Apache-2.0
// "Session not found" the right way: an id that leads nowhere is answered without a byte to a replica.
import assert from 'node:assert/strict';
import { assert_refused } from '../lib/check.mjs';
import { mcp_pool } from '../lib/config.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { raw, raw_call, raw_echo, raw_open } from '../lib/mcp.mjs';

const call = { params: { name: 'echo', arguments: { message: 'x' } } };

function changed_at(id, at) {
  const other = id[at] === 'A' ? 'B' : 'A';
  return id.slice(0, at) + other + id.slice(at + 1);
}

/** Ids that were never given out, made from two that were. */
function forgeries(mine, yours) {
  const half = mine.length >> 1;
  return {
    'plain word': 'not-a-session',
    'bare UUID': '0d4c1c5e-6f0a-4f6e-9c43-0d3f9b9f3a11',
    'first byte changed': changed_at(mine, 0),
    'byte in the middle changed': changed_at(mine, half),
    'last byte changed': changed_at(mine, mine.length - 1),
    'cut at the end': mine.slice(0, -1),
    'cut to a half': mine.slice(0, half),
    'cut at the start': mine.slice(1),
    'grown': mine + 'A',
    'twice': mine + mine,
    'head of one, tail of another': mine.slice(0, half) + yours.slice(half),
    'two thousand bytes': 'x'.repeat(2000),
    'punctuation': '!"#$%&()*+,-./:;<=>?@[]^_{|}~',
  };
}

async function totals(replicas) {
  const counts = await Promise.all(replicas.map((replica) => replica.counts()));
  const sum = (field) => counts.reduce((total, one) => total + one[field], 0);
  const sessions = new Set(counts.flatMap((one) => Object.keys(one.sessions)));
  return { bytes: sum('bytes'), requests: sum('requests'), sessions };
}

/** Every method with every id is refused; no replica sees any of it. */
async function all_refused(context, ids) {
  const before = await totals(context.mcp);
  for (const [what, id] of Object.entries(ids)) {
    for (const number of [7, 'seven']) {
      const answer = await raw_call(context.mcp_url, id, 'tools/call', { ...call, id: number });
      await assert_refused(answer, number, `POST, ${what}`);
    }
    for (const method of ['GET', 'DELETE']) {
      const answer = await raw(context.mcp_url, method, { session: id });
      await assert_refused(answer, undefined, `${method}, ${what}`);
    }
  }
  const after = await totals(context.mcp);
  assert.equal(after.bytes, before.bytes, 'bytes reached a replica');
  assert.equal(after.requests, before.requests, 'requests reached a replica');
  // What follows on the same connections reaches a replica, what was refused still does not.
  const live = await raw_open(context.mcp_url);
  assert.equal((await raw_echo(context.mcp_url, live.id)).status, 200);
  const last = await totals(context.mcp);
  assert.ok(last.bytes > after.bytes, 'the count does not count');
  for (const id of Object.values(ids)) assert.ok(!last.sessions.has(id), 'a replica saw a refused id');
}

async function forged(context) {
  const [mine, yours] = [await raw_open(context.mcp_url), await raw_open(context.mcp_url)];
  const ids = forgeries(mine.id, yours.id);
  await all_refused(context, ids);
  for (const { id } of [mine, yours]) {
    assert.equal((await raw_echo(context.mcp_url, id)).status, 200, 'a true id after forged ones');
  }
}

async function replica_id(context) {
  const before = (await totals(context.mcp)).sessions;
  const { id } = await raw_open(context.mcp_url);
  assert.equal((await raw_echo(context.mcp_url, id)).status, 200);
  const fresh = [...(await totals(context.mcp)).sessions].filter((known) => !before.has(known));
  assert.equal(fresh.length, 1, 'one session was opened');
  // The id that the replica knows is inside what limpet gave out; taken bare it is nobody's.
  await assert_refused(await raw_echo(context.mcp_url, fresh[0], 11), 11, "the replica's own id");
}

async function foreign(context) {
  const stranger = await Limpet.make(mcp_pool(context.mcp, { eras: false }));
  try {
    await stranger.start();
    const theirs = await raw_open(`${stranger.url}/mcp`);
    const ours = await raw_open(context.mcp_url);
    await all_refused(context, { 'sealed with other keys': theirs.id });
    await assert_refused(await raw_echo(`${stranger.url}/mcp`, ours.id, 3), 3, 'the other way round');
    assert.equal((await raw_echo(`${stranger.url}/mcp`, theirs.id)).status, 200);
  } finally {
    await stranger.remove();
  }
}

async function any_gateway(context) {
  const { id } = await raw_open(context.mcp_url);
  const ids = forgeries(id, id);
  for (const what of ['plain word', 'bare UUID', 'last byte changed', 'cut to a half']) {
    const answer = await raw_echo(context.mcp_url, ids[what], 7);
    assert.ok(answer.status >= 400 && answer.status < 500, `${what}: status ${answer.status}`);
    assert.equal(answer.message.result, undefined, `${what}: the call has a result`);
  }
  assert.equal((await raw_echo(context.mcp_url, id)).status, 200);
}

export const cases = [
  { name: 'mcp refusals: a forged id is never served', run: any_gateway },
  { name: 'mcp refusals: forged and cut ids are answered 404 and -32001, no byte reaches a replica',
    needs: 'daemon', run: forged },
  { name: "mcp refusals: a replica's own id, taken bare, is answered 404 and -32001",
    needs: 'daemon', run: replica_id },
  { name: 'mcp refusals: an id sealed with other keys is answered 404 and -32001',
    needs: 'daemon', run: foreign },
];
