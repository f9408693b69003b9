// SPDX-License-Identifier: Apache-2.0
// Replicas that die: only their sessions are lost, and the loss is said, at once.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { assert_refused } from '../lib/check.mjs';
import { mcp_pool, web_pools } from '../lib/config.mjs';
import { cookie_field, cookies_of, get } from '../lib/http.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { raw, raw_echo, raw_open, sdk_kinds, SdkSession, session_on_each } from '../lib/mcp.mjs';
import { start_replicas } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const deadline_ms = 60000;

/** Runs with replicas and an instance of its own, which may be harmed. */
async function with_own(kind, pools, run) {
  const replicas = await start_replicas(kind, 3, `own-${kind}-`);
  const limpet = await Limpet.make(pools(replicas));
  try {
    await limpet.start();
    await run(limpet, replicas);
  } finally {
    await limpet.remove();
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

async function dead_session_refused(url, id) {
  await assert_refused(await raw_echo(url, id, 'lost'), 'lost', 'POST to a dead session');
  await assert_refused(await raw(url, 'GET', { session: id }), undefined, 'GET to a dead session');
}

async function mcp_replica_killed() {
  await with_own('mcp', mcp_pool, async (limpet, replicas) => {
    const url = `${limpet.url}/mcp`;
    const sessions = await session_on_each(url, replicas);
    const [victim, ...others] = replicas;
    await victim.kill();
    await dead_session_refused(url, sessions.get(victim.id));
    for (const kind of [...sdk_kinds, ...sdk_kinds, ...sdk_kinds]) {
      const session = await new SdkSession(kind, url).open();
      await session.converse(1);
      assert.ok(!session.replicas.has(victim.id));
      await session.end();
    }
    for (const { id } of others) {
      const answer = await raw_echo(url, sessions.get(id));
      assert.equal(answer.status, 200, `a session of ${id}, which lives`);
      assert.equal(answer.replica, id);
    }
    await dead_session_refused(url, sessions.get(victim.id));
  });
}

async function mcp_replica_restarted() {
  await with_own('mcp', mcp_pool, async (limpet, replicas) => {
    const url = `${limpet.url}/mcp`;
    const sessions = await session_on_each(url, replicas);
    const [victim] = replicas;
    await victim.kill();
    await dead_session_refused(url, sessions.get(victim.id));
    await victim.start(victim.port);
    // The new process knows nothing of the session; its own words for that are 400 and -32000.
    await dead_session_refused(url, sessions.get(victim.id));
    await until(deadline_ms, async () => (await raw_open(url)).replica === victim.id,
      'the restarted replica gets new sessions');
    await dead_session_refused(url, sessions.get(victim.id));
  });
}

async function web_replica_killed() {
  await with_own('web', web_pools, async (limpet, replicas) => {
    const clients = new Map();
    await until(deadline_ms, async () => {
      const response = await get(`${limpet.url}/whoami`);
      clients.set(response.headers['x-replica'], cookie_field(response));
      return clients.size === replicas.length;
    }, 'every replica has a client');
    const [victim, ...others] = replicas;
    await victim.kill();
    const moved = await get(`${limpet.url}/whoami`, { headers: { Cookie: clients.get(victim.id) } });
    assert.equal(moved.status, 200);
    assert.notEqual(moved.headers['x-replica'], victim.id);
    assert.ok(cookies_of(moved).has('limpet'), 'a client that moves gets a new cookie');
    assert.match(moved.headers['limpet-affinity-outcome'] ?? '', /^moved\b/);
    const back = await get(`${limpet.url}/whoami`, { headers: { Cookie: cookie_field(moved) } });
    assert.equal(back.headers['x-replica'], moved.headers['x-replica']);
    for (const { id } of others) {
      const stays = await get(`${limpet.url}/whoami`, { headers: { Cookie: clients.get(id) } });
      assert.equal(stays.headers['x-replica'], id, 'a client of another replica moved');
      assert.equal(stays.headers['set-cookie'], undefined);
    }
    await loss_is_stated(limpet);
  });
}

/** The loss is in the access log and in the metrics. */
async function loss_is_stated(limpet) {
  const log = path.join(limpet.home, 'access.log');
  await until(deadline_ms, () => {
    const lines = fs.readFileSync(log, 'utf8').trim().split('\n');
    return lines.some((line) => JSON.stringify(JSON.parse(line)).includes('"moved"'));
  }, 'a line of the access log says "moved"');
  await until(deadline_ms, async () => {
    const { text } = await get(`${limpet.admin_url}/metrics`);
    return /^limpet_affinity_total\{[^}]*outcome="moved"[^}]*\} [1-9]/m.test(text);
  }, 'a counter of the metrics says "moved"');
}

export const cases = [
  { name: 'loss: a killed MCP replica: its session 404 and -32001, all others and new clients go on',
    needs: 'daemon', own: true, run: mcp_replica_killed },
  { name: 'loss: a session of a restarted MCP replica is answered 404 and -32001, not 400',
    needs: 'daemon', own: true, run: mcp_replica_restarted },
  { name: 'ingress: replica gone: its client goes to a new one with a new cookie, the loss is stated',
    needs: 'daemon', own: true, run: web_replica_killed },
];
