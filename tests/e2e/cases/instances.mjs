// SPDX-License-Identifier: Apache-2.0
// Several instances of limpet with the same keys: sessions that alternate between them, and what Redis adds.
import assert from 'node:assert/strict';
import { all_succeed, assert_mostly_within, assert_refused, at_once } from '../lib/check.mjs';
import { mcp_pool } from '../lib/config.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { raw, raw_echo, raw_open, sdk_kinds, SdkSession, session_on_each } from '../lib/mcp.mjs';
import { Redis } from '../lib/redis.mjs';
import { start_replicas } from '../lib/replicas.mjs';
import { slow_factor, until } from '../lib/wait.mjs';

const sessions_of_each_kind = 10;
const deadline_ms = 60000;
const at_once_ms = 1000 * slow_factor;

/** Runs with three replicas and two instances that share their keys. */
async function with_two(settings, run) {
  const replicas = await start_replicas('mcp', 3, 'shared-');
  const pool = mcp_pool(replicas, { carry_over: 'compatible', probe: '200ms', ...settings });
  const one = await Limpet.make(pool);
  const two = await Limpet.make(pool, { keys_file: one.keys_file });
  try {
    await one.start();
    await two.start();
    await run([one, two], replicas);
  } finally {
    await Promise.all([one.remove(), two.remove()]);
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

/** A fetch over the instances of `alive` in turn. */
function alternating(alive) {
  let turn = 0;
  return (where, init) => {
    const url = new URL(where);
    url.host = new URL(alive[turn++ % alive.length].url).host;
    return fetch(url, init);
  };
}

async function one_restarts() {
  await with_two({}, async (instances) => {
    const alive = [...instances];
    const opening = sdk_kinds.flatMap((kind) => [...Array(sessions_of_each_kind)].map(() =>
      new SdkSession(kind, `${instances[0].url}/mcp`, alternating(alive)).open()));
    const sessions = await all_succeed('sessions', opening);
    const all_converse = (when) => all_succeed(`calls ${when}`, sessions.map((session) => session.converse(2)));
    await all_converse('over both instances');
    for (const [at, instance] of instances.entries()) {
      alive.splice(0, alive.length, instances[1 - at]);
      await instance.stop();
      await all_converse('while one is away');
      await instance.start();
      alive.splice(0, alive.length, ...instances);
      await all_converse('after its return');
    }
    for (const session of sessions) assert.equal(session.replicas.size, 1, 'a session changed its replica');
    await all_succeed('ends', sessions.map((session) => session.end()));
  });
}

async function with_redis(run) {
  const redis = await new Redis().start();
  try {
    await with_two({ store: redis.url }, (instances, replicas) => run(instances, replicas, redis));
  } finally {
    await redis.kill();
  }
}

async function answered(url, id, what) {
  const answer = await raw_echo(url, id);
  assert.equal(answer.status, 200, `${what}: status`);
  assert.ok(answer.message.result, `${what}: ${JSON.stringify(answer.message)}`);
  return answer;
}

async function carried_over_elsewhere() {
  await with_redis(async ([one, two], replicas, redis) => {
    const [url, other_url] = [one, two].map((instance) => `${instance.url}/mcp`);
    const [victim, second] = replicas;
    const sessions = await session_on_each(url, replicas);
    const ended = sessions.get(second.id);
    assert.ok((await raw(url, 'DELETE', { session: ended })).ok);
    await until(deadline_ms, async () => (await redis.size()) > 0, 'the store holds records');
    await Promise.all([victim.kill(), second.kill()]);
    const id = sessions.get(victim.id);
    const moved = await answered(other_url, id, 'at the instance that never saw the session');
    const again = await answered(url, id, 'at the first instance');
    assert.equal(again.replica, moved.replica, 'the two instances disagree on the replica');
    for (const at of [url, other_url]) {
      await assert_refused(await raw_echo(at, ended, 3), 3, 'a session that was ended at one instance');
    }
  });
}

async function store_dies() {
  await with_redis(async ([one, two], replicas, redis) => {
    const urls = [one, two].map((instance) => `${instance.url}/mcp`);
    const sessions = await session_on_each(urls[0], replicas);
    one.child.printed = '';
    await redis.kill();
    const taken = [];
    for (const url of urls) {
      for (const [home, id] of sessions) {
        const goes_home = async () => assert.equal((await answered(url, id, 'without the store')).replica, home);
        taken.push(await at_once(at_once_ms, goes_home, 'without the store an answer'));
      }
      const fresh = await raw_open(url);
      assert.equal((await answered(url, fresh.id, 'a new session')).replica, fresh.replica);
    }
    assert_mostly_within(at_once_ms, taken, 'the first answer without the store');
    const [victim] = replicas;
    await victim.kill();
    const { replica } = await answered(urls[0], sessions.get(victim.id), 'carried over by the instance that knows it');
    assert.notEqual(replica, victim.id);
    await until(deadline_ms, () => /\bwarning\b.*\bstore\b/.test(one.child.printed),
      'the log says that the store is lost');
  });
}

export const cases = [
  { name: `instances: ${2 * sessions_of_each_kind} sessions alternate between two, each is restarted, none is lost`,
    needs: 'daemon', own: true, run: one_restarts },
  { name: 'redis: a session is carried over by an instance that never saw it, an ended one stays ended',
    needs: 'daemon', own: true, run: carried_over_elsewhere },
  { name: 'redis: killed, and routing goes on', needs: 'daemon', own: true, run: store_dies },
];
