// SPDX-License-Identifier: Apache-2.0
// Official MCP clients, which keep no cookies: every session stays on its replica.
import assert from 'node:assert/strict';
import { all_succeed, assert_refused, Skip } from '../lib/check.mjs';
import { send } from '../lib/http.mjs';
import { raw, raw_call, raw_echo, raw_open, read_until, sdk_kinds, SdkSession } from '../lib/mcp.mjs';
import { start_round_robin } from '../lib/round_robin.mjs';
import { within } from '../lib/wait.mjs';

const sessions = 20;
const rounds = 3;

async function whole_life(kind, url) {
  const session = await new SdkSession(kind, url).open();
  await session.converse(rounds);
  await session.end();
  return session.replicas;
}

async function twenty_sessions(kind, context) {
  const lives = [...Array(sessions)].map(() => whole_life(kind, context.mcp_url));
  const met = await all_succeed('sessions', lives);
  if (!context.own) return;
  for (const replicas of met) {
    assert.equal(replicas.size, 1, `a session met ${[...replicas].join(' and ')}`);
  }
  const used = new Set(met.flatMap((replicas) => [...replicas]));
  assert.ok(used.size > 1, `all ${sessions} sessions were placed on one replica`);
}

async function sprayed(kind, context) {
  const spray = await start_round_robin(context.mcp.map((replica) => replica.port));
  try {
    let succeeded = 0;
    for (let number = 0; number < sessions; ++number) {
      await whole_life(kind, `${spray.url}/mcp`).then(() => { ++succeeded; }, () => {});
    }
    assert.equal(succeeded, 0, `${succeeded} of ${sessions} sessions succeed without affinity`);
  } finally {
    spray.close();
  }
}

async function stream_reaches_owner(context) {
  const end = new AbortController();
  try {
    const opened = [];
    for (let number = 0; number < 6; ++number) opened.push(await raw_open(context.mcp_url));
    for (const session of opened) {
      const { id, replica } = session;
      const options = { session: id, signal: end.signal };
      const stream = await within(60000, raw(context.mcp_url, 'GET', options), 'head of the GET stream');
      if (!context.own && stream.status === 405) throw new Skip('the server has no GET stream');
      assert.equal(stream.status, 200);
      assert.match(stream.headers.get('content-type'), /^text\/event-stream/);
      assert.equal(stream.replica, replica, 'the GET stream met another replica');
      // This tool writes one message to the GET stream of its session, at once.
      const params = { name: 'toggle-simulated-logging', arguments: {} };
      const read = read_until(stream, 'notifications/message');
      read.catch(() => {});
      const toggled = await raw_call(context.mcp_url, id, 'tools/call', { params });
      assert.equal(toggled.status, 200);
      if (toggled.message.error === undefined && !toggled.message.result.isError) {
        await within(60000, read, 'a message of the session on its GET stream');
      }
    }
  } finally {
    end.abort();
  }
}

async function delete_reaches_owner(context) {
  for (let number = 0; number < 6; ++number) {
    const { id, replica } = await raw_open(context.mcp_url);
    const ended = await raw(context.mcp_url, 'DELETE', { session: id });
    await ended.arrayBuffer();
    assert.ok(ended.ok, `DELETE: status ${ended.status}`);
    assert.equal(ended.replica, replica, 'DELETE met another replica');
    const after = await raw_echo(context.mcp_url, id);
    assert.ok(after.status >= 400 && after.status < 500, `after DELETE: status ${after.status}`);
    assert.equal(after.message.result, undefined, 'after DELETE the call has a result');
  }
}

async function ids_are_wrapped(context) {
  const { id, replica } = await raw_open(context.mcp_url);
  assert.match(id, /^[\x21-\x7e]+$/);
  const owner = context.mcp.find((known) => known.id === replica);
  const { sessions: seen } = await owner.counts();
  assert.equal(seen[id], undefined, 'the replica sees the id that limpet made');
  const again = await raw_echo(context.mcp_url, id);
  assert.equal(again.status, 200);
  if (again.session !== null) assert.equal(again.session, id, 'the id changed under the client');
}

async function fresh_connections_reach_owner(context) {
  const { id, replica } = await raw_open(context.mcp_url);
  const headers = {
    Accept: 'application/json, text/event-stream',
    'Content-Type': 'application/json',
    'Mcp-Session-Id': id,
  };
  for (let number = 0; number < 50; ++number) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: number, method: 'ping' });
    const response = await send('POST', context.mcp_url, { headers, body });
    assert.equal(response.status, 200);
    assert.equal(response.headers['x-replica'] ?? null, replica);
  }
}

const per_kind = sdk_kinds.flatMap((kind) => [
  {
    name: `mcp sessions: ${sessions} of SDK ${kind} all succeed, each meets one replica`,
    run: (context) => twenty_sessions(kind, context),
  },
  {
    name: `mcp sessions, control: sprayed round robin 0 of ${sessions} of SDK ${kind} succeed`,
    needs: 'daemon',
    run: (context) => sprayed(kind, context),
  },
]);

export const cases = [
  ...per_kind,
  { name: 'mcp sessions: a session stays over fresh connections', run: fresh_connections_reach_owner },
  { name: 'mcp sessions: the GET stream reaches the owner', run: stream_reaches_owner },
  { name: 'mcp sessions: DELETE reaches the owner, the id is not answered again',
    run: delete_reaches_owner },
  { name: 'mcp sessions: the replica sees its own id, the client a wrapped one that never changes',
    needs: 'daemon', run: ids_are_wrapped },
];
