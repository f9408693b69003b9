// SPDX-License-Identifier: Apache-2.0
// The older MCP transport, HTTP+SSE (2024-11-05): the session is in the URI of the stream's endpoint event.
import assert from 'node:assert/strict';
import { all_succeed, assert_refused, at_once } from '../lib/check.mjs';
import { sse_pool } from '../lib/config.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { raw, raw_call, SdkSession } from '../lib/mcp.mjs';
import { start_replicas } from '../lib/replicas.mjs';
import { start_round_robin } from '../lib/round_robin.mjs';
import { slow_factor, within } from '../lib/wait.mjs';

const kind = 'v1 sse';
const sessions_number = 20;
const sprayed_number = 4;
const rounds = 3;
const deadline_ms = 60000;
const sprayed_ms = 2000;
const refusal_ms = 1000 * slow_factor;

async function with_own(run) {
  const replicas = await start_replicas('mcp_sse', 3, 'sse-');
  const limpet = await Limpet.make(sse_pool(replicas, { probe: '200ms' }));
  try {
    await limpet.start();
    await run(limpet, replicas);
  } finally {
    await limpet.remove();
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

/** A notification has no deadline in the SDK, so the whole session has one. */
async function whole_life(url, ms) {
  const session = new SdkSession(kind, `${url}/sse`);
  const living = async () => {
    await session.open();
    await session.converse(rounds);
  };
  try {
    await within(ms, living(), 'a session');
    return session.replicas;
  } finally {
    await session.end();
  }
}

async function all_succeed_over_three() {
  await with_own(async (limpet) => {
    const met = await all_succeed('sessions',
      [...Array(sessions_number)].map(() => whole_life(limpet.url, deadline_ms)));
    for (const replicas of met) assert.equal(replicas.size, 1, `a session met ${[...replicas].join(' and ')}`);
    const used = new Set(met.flatMap((replicas) => [...replicas]));
    assert.ok(used.size > 1, `all ${sessions_number} sessions were placed on one replica`);
  });
}

async function sprayed() {
  await with_own(async (limpet, replicas) => {
    const spray = await start_round_robin(replicas.map((replica) => replica.port));
    try {
      const lives = [...Array(sprayed_number)].map(() => whole_life(spray.url, sprayed_ms));
      const succeeded = (await Promise.allSettled(lives)).filter((end) => end.status === 'fulfilled');
      assert.equal(succeeded.length, 0, `${succeeded.length} of ${sprayed_number} succeed without affinity`);
    } finally {
      spray.close();
    }
  });
}

/** Opens a stream and reads its endpoint event: { endpoint, replica, reader }. */
async function open_stream(url) {
  const stream = await within(deadline_ms, raw(`${url}/sse`, 'GET', { signal: new AbortController().signal }),
    'head of the stream');
  const reader = stream.body.getReader();
  let text = '';
  while (!/\r?\n\r?\n/.test(text)) {
    const { value, done } = await within(deadline_ms, reader.read(), 'the endpoint event');
    assert.ok(!done, `the stream ended after "${text}"`);
    text += Buffer.from(value).toString();
  }
  assert.match(text, /^event: ?endpoint\r?$/m);
  const endpoint = /^data: ?(\S+)\r?$/m.exec(text)[1];
  return { endpoint: new URL(endpoint, url), replica: stream.replica, reader };
}

async function refused_at_once(url, what) {
  const refused = async () => {
    await assert_refused(await raw_call(url, undefined, 'tools/list', { id: 'lost' }), 'lost', what);
  };
  await at_once(refusal_ms, refused, `${what}: the refusal`);
}

/** Where the server itself would never answer. */
async function lost_is_refused() {
  await with_own(async (limpet, replicas) => {
    const { endpoint, replica, reader } = await open_stream(limpet.url);
    assert.equal(endpoint.origin, limpet.url, 'the endpoint has another origin');
    assert.equal(endpoint.pathname, '/message');
    const forged = new URL(endpoint);
    forged.searchParams.set('sessionId', '0d4c1c5e-6f0a-4f6e-9c43-0d3f9b9f3a11');
    await refused_at_once(forged, 'a session that never was');
    const owner = replicas.find((known) => known.id === replica);
    await owner.kill();
    const ended = async () => {
      for (;;) if ((await reader.read()).done) return;
    };
    await within(deadline_ms, ended().catch(() => {}), 'the end of the stream of a dead replica');
    await refused_at_once(endpoint, 'a session whose replica died');
    await owner.start(owner.port);
    await refused_at_once(endpoint, 'a session whose replica was restarted');
  });
}

export const cases = [
  { name: `mcp sse: ${sessions_number} sessions of SDK v1 all succeed, each meets one replica`,
    needs: 'daemon', own: true, run: all_succeed_over_three },
  { name: `mcp sse, control: sprayed round robin 0 of ${sprayed_number} sessions succeed`,
    needs: 'daemon', own: true, run: sprayed },
  { name: `mcp sse: a message to a lost session is answered 404 and -32001 within ${refusal_ms} ms`,
    needs: 'daemon', own: true, run: lost_is_refused },
];
