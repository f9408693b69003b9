// SPDX-License-Identifier: Apache-2.0
// MCP sessions whose replica dies: carried over to another one where the pool says so, else refused at once.
import assert from 'node:assert/strict';
import { all_succeed, assert_mostly_within, assert_refused, at_once } from '../lib/check.mjs';
import { mcp_pool } from '../lib/config.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { raw, raw_call, raw_echo, raw_open, read_until, sdk_kinds, SdkSession } from '../lib/mcp.mjs';
import { start_replicas } from '../lib/replicas.mjs';
import { slow_factor, until, within } from '../lib/wait.mjs';

const sessions_of_each_kind = 20;
const rolling_rounds = 3;
const deadline_ms = 60000;
const refusal_ms = 1000 * slow_factor;

/** Runs with three replicas and an instance of its own. */
async function with_own(kind, settings, run) {
  const replicas = await start_replicas(kind, 3, `own-${kind}-`);
  const limpet = await Limpet.make(mcp_pool(replicas, { probe: '200ms', ...settings }));
  try {
    await limpet.start();
    await run(limpet, replicas, `${limpet.url}/mcp`);
  } finally {
    await limpet.remove();
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

async function open_many(url) {
  const opening = sdk_kinds.flatMap((kind) =>
    [...Array(sessions_of_each_kind)].map(() => new SdkSession(kind, url).open()));
  const sessions = await all_succeed('sessions', opening);
  await all_succeed('first calls', sessions.map((session) => session.converse(1)));
  return sessions;
}

async function close_all(sessions) {
  await Promise.all(sessions.map((session) => session.client.close()));
}

async function restart_each(limpet, replicas, after_each) {
  for (const replica of replicas) {
    await replica.restart('SIGTERM');
    await until(deadline_ms, () => limpet.takes('mcp', replica.id), `limpet takes up ${replica.id} again`);
    await after_each(replica);
  }
}

async function killed_and_carried_over() {
  await with_own('mcp', { carry_over: 'compatible' }, async (limpet, replicas, url) => {
    const sessions = await open_many(url);
    const [victim] = replicas;
    const homes = new Map(sessions.map((session) => [session, session.met]));
    const orphans = sessions.filter((session) => session.met === victim.id);
    assert.ok(orphans.length > 0, `no session was placed on ${victim.id}`);
    await victim.kill();
    await all_succeed('next calls', sessions.map((session) => session.converse(1)));
    for (const [session, home] of homes) {
      if (home === victim.id) assert.notEqual(session.met, victim.id, 'a session is still on the dead replica');
      else assert.equal(session.met, home, 'a session moved although its replica lives');
    }
    await all_succeed('ends', sessions.map((session) => session.end()));
  });
}

async function rolled_and_carried_over() {
  await with_own('mcp', { carry_over: 'compatible' }, async (limpet, replicas, url) => {
    const sessions = await open_many(url);
    for (let round = 0; round < rolling_rounds; ++round) {
      await restart_each(limpet, replicas, (replica) => all_succeed(
        `calls after restart ${round + 1} of ${replica.id}`, sessions.map((session) => session.converse(1))));
    }
    await all_succeed('ends', sessions.map((session) => session.end()));
  });
}

/** The next call of each lost session: 404 and -32001, at once. */
async function refused_at_once(url, lost) {
  const taken = [];
  for (const { id } of lost) {
    const refused = async () => assert_refused(await raw_echo(url, id, 'lost'), 'lost', 'the next call');
    taken.push(await at_once(refusal_ms, refused, 'the refusal'));
  }
  assert_mostly_within(refusal_ms, taken, 'the first refusal');
}

async function sdk_refused(session) {
  const failure = await session.call('echo', { message: 'lost' }).then(() => undefined, (error) => error);
  assert.ok(failure, 'a call of a lost session has a result');
  assert.match(`${failure.code} ${failure.status} ${failure.data?.status} ${failure.message}`, /404|-32001/);
}

async function killed_and_refused() {
  await with_own('mcp', { carry_over: 'off' }, async (limpet, replicas, url) => {
    const raws = [];
    for (let number = 0; number < sessions_of_each_kind; ++number) raws.push(await raw_open(url));
    const sessions = await open_many(url);
    const [victim] = replicas;
    await victim.kill();
    const [dead, alive] = [true, false].map((lost) => raws.filter(({ replica }) => (replica === victim.id) === lost));
    assert.ok(dead.length > 0 && alive.length > 0, `of ${raws.length} sessions ${dead.length} are on ${victim.id}`);
    await refused_at_once(url, dead);
    for (const { id } of alive) assert.equal((await raw_echo(url, id)).status, 200, 'a session that lives');
    for (const session of sessions) {
      if (session.met === victim.id) await sdk_refused(session);
      else await session.converse(1);
    }
    await close_all(sessions);
  });
}

async function rolled_and_refused() {
  await with_own('mcp', { carry_over: 'off' }, async (limpet, replicas, url) => {
    for (let round = 0; round < rolling_rounds; ++round) {
      const raws = [];
      for (let number = 0; number < sessions_of_each_kind; ++number) raws.push(await raw_open(url));
      await restart_each(limpet, replicas, (replica) =>
        refused_at_once(url, raws.filter((one) => one.replica === replica.id)));
    }
  });
}

/** Opens sessions until one is on the wanted replica. */
async function open_on(url, replica) {
  return until(deadline_ms, async () => {
    const opened = await raw_open(url);
    return opened.replica === replica.id && opened;
  }, `a session on ${replica.id}`);
}

/** The client keeps its GET stream; the replica that takes over writes to it. */
async function stream_goes_on() {
  await with_own('mcp', { carry_over: 'compatible' }, async (limpet, replicas, url) => {
    const [victim] = replicas;
    const { id } = await open_on(url, victim);
    const end = new AbortController();
    try {
      const stream = await within(deadline_ms, raw(url, 'GET', { session: id, signal: end.signal }), 'the GET stream');
      assert.equal(stream.replica, victim.id);
      const level = await raw_call(url, id, 'logging/setLevel', { params: { level: 'debug' } });
      assert.equal(level.status, 200);
      const read = read_until(stream, 'notifications/message');
      read.catch(() => {});
      await victim.kill();
      const next = await raw_echo(url, id);
      assert.equal(next.status, 200);
      assert.notEqual(next.replica, victim.id);
      const params = { name: 'toggle-simulated-logging', arguments: {} };
      assert.equal((await raw_call(url, id, 'tools/call', { params })).status, 200);
      await within(deadline_ms, read, 'a message of the new replica on the old stream');
    } finally {
      end.abort();
    }
  });
}

/** How many calls of "hold" a replica has begun, asked past limpet. */
async function held_by(replica) {
  const url = `http://${replica.address}/mcp`;
  const { id } = await raw_open(url);
  const { message } = await raw_call(url, id, 'tools/call', { params: { name: 'held', arguments: {} } });
  return Number(message.result.content[0].text);
}

async function running_call_is_not_repeated() {
  await with_own('fixture', { carry_over: 'compatible' }, async (limpet, replicas, url) => {
    const [victim, ...others] = replicas;
    const { id } = await open_on(url, victim);
    const running = raw_call(url, id, 'tools/call', { params: { name: 'hold', arguments: {} }, id: 'running' });
    running.catch(() => {});
    await until(deadline_ms, async () => (await held_by(victim)) === 1, 'the call runs');
    await victim.kill();
    const answer = await within(deadline_ms, running, 'an answer to the call that ran');
    assert.ok(answer.message, 'the call that ran has no answer');
    assert.equal(answer.message.id, 'running');
    assert.ok(answer.message.error, `the call that ran was answered ${JSON.stringify(answer.message)}`);
    for (const replica of others) assert.equal(await held_by(replica), 0, `${replica.id} was sent the call again`);
    const next = await raw_echo(url, id);
    assert.equal(next.status, 200, 'the next call');
    assert.notEqual(next.replica, victim.id);
  });
}

async function ended_stays_ended() {
  await with_own('mcp', { carry_over: 'compatible' }, async (limpet, replicas, url) => {
    const [victim] = replicas;
    const other = await Limpet.make(mcp_pool(replicas, { carry_over: 'compatible', probe: '200ms' }),
      { keys_file: limpet.keys_file });
    try {
      await other.start();
      const { id } = await open_on(url, victim);
      const ended = await raw(url, 'DELETE', { session: id });
      assert.ok(ended.ok, `DELETE: status ${ended.status}`);
      const both = [['here', url], ['at the other instance', `${other.url}/mcp`]];
      for (const [where, at] of both) await assert_refused(await raw_echo(at, id, 1), 1, `after DELETE, ${where}`);
      await victim.kill();
      for (const [where, at] of both) {
        await assert_refused(await raw_echo(at, id, 2), 2, `after DELETE and the owner's death, ${where}`);
        await assert_refused(await raw(at, 'GET', { session: id }), undefined, `GET, ${where}`);
      }
    } finally {
      await other.remove();
    }
  });
}

export const cases = [
  { name: `carry-over: a replica is killed, ${2 * sessions_of_each_kind} sessions of SDK v1 and v2 go on`,
    needs: 'daemon', own: true, run: killed_and_carried_over },
  { name: `carry-over: ${rolling_rounds} rolling restarts of all replicas, every session goes on`,
    needs: 'daemon', own: true, run: rolled_and_carried_over },
  { name: 'carry-over: the GET stream of a client goes on after its replica died',
    needs: 'daemon', own: true, run: stream_goes_on },
  { name: 'carry-over: a call that ran when its replica died has an error and is not repeated',
    needs: 'daemon', own: true, run: running_call_is_not_repeated },
  { name: 'carry-over: a session ended by DELETE stays ended, at every instance, also when its replica died',
    needs: 'daemon', own: true, run: ended_stays_ended },
  { name: `carry-over off: a replica is killed, its sessions are answered 404 and -32001 within ${refusal_ms} ms`,
    needs: 'daemon', own: true, run: killed_and_refused },
  { name: `carry-over off: ${rolling_rounds} rolling restarts, lost sessions are answered 404 and -32001`,
    needs: 'daemon', own: true, run: rolled_and_refused },
];
