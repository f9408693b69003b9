// SPDX-License-Identifier: Apache-2.0
// Replicas that come and go at run time: by reload, by a watched file, by revision.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { file_pool, plain_pool, revision_pool } from '../lib/config.mjs';
import { cookie_field, get } from '../lib/http.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { start_little_replicas } from '../lib/little_replicas.mjs';
import { until } from '../lib/wait.mjs';

const deadline_ms = 60000;

async function with_replicas(replicas, run) {
  const limpet = await Limpet.make('', { workers: 2 });
  try {
    await run(limpet);
  } finally {
    await limpet.remove();
    for (const replica of replicas) {
      replica.release();
      replica.stop();
    }
  }
}

/** The replica that a client without a cookie meets. */
async function newcomer(limpet) {
  const response = await get(`${limpet.url}/`);
  assert.equal(response.status, 200, `a newcomer: ${response.text}`);
  return response;
}

/** How often each replica (or `name_of` it) is met by `times` newcomers. */
async function tally(limpet, times, name_of = (id) => id) {
  const counts = {};
  for (let number = 0; number < times; ++number) {
    const name = name_of((await newcomer(limpet)).headers['x-replica']);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

async function meets_all(limpet, replicas) {
  const missing = new Set(replicas.map((replica) => replica.id));
  await until(deadline_ms, async () => {
    missing.delete((await newcomer(limpet)).headers['x-replica']);
    return missing.size === 0;
  }, `newcomers meet each of ${replicas.map((replica) => replica.id).join(' ')}`);
}

/** Newcomers meet none but `replicas`: 30 in a row, within the deadline. */
async function meets_only(limpet, replicas) {
  const allowed = new Set(replicas.map((replica) => replica.id));
  await until(deadline_ms, async () => {
    const met = Object.keys(await tally(limpet, 30));
    return met.every((id) => allowed.has(id));
  }, `newcomers meet only ${[...allowed].join(' ')}`);
}

/** One client of each replica: id to Cookie field. */
async function client_of_each(limpet, replicas) {
  const cookies = new Map();
  await until(deadline_ms, async () => {
    const response = await newcomer(limpet);
    cookies.set(response.headers['x-replica'], cookie_field(response));
    return replicas.every((replica) => cookies.has(replica.id));
  }, 'each replica has a client');
  return cookies;
}

async function all_stay(limpet, cookies, why) {
  for (const [id, cookie] of cookies) {
    const response = await get(`${limpet.url}/`, { headers: { Cookie: cookie } });
    assert.equal(response.headers['x-replica'], id, `a client moved: ${why}`);
  }
}

async function revisions() {
  const replicas = await start_little_replicas(4, (at) => ({ revision: at < 2 ? 'v1' : 'v2' }));
  const revision_of = (id) => replicas.find((replica) => replica.id === id).revision;
  await with_replicas(replicas, async (limpet) => {
    limpet.configure(revision_pool({ v1: 90, v2: 10 }, replicas));
    await limpet.start();
    const before = await tally(limpet, 100, revision_of);
    assert.ok(before.v1 > 60, `v1 has a share of 90 and got ${JSON.stringify(before)}`);
    const cookies = await client_of_each(limpet, replicas);
    await all_stay(limpet, cookies, 'same configuration');
    limpet.configure(revision_pool({ v1: 10, v2: 90 }, replicas));
    limpet.reload();
    await until(deadline_ms, async () => (await tally(limpet, 50, revision_of)).v2 > 30,
      'new sessions follow the new shares');
    await all_stay(limpet, cookies, 'the shares changed');
  });
}

function write_list(file, replicas) {
  fs.writeFileSync(file + '.new', replicas.map((replica) => replica.address + '\n').join(''));
  fs.renameSync(file + '.new', file);
}

async function scaling() {
  const replicas = await start_little_replicas(10);
  await with_replicas(replicas, async (limpet) => {
    const two = replicas.slice(0, 2);
    const list = path.join(limpet.home, 'replicas');
    write_list(list, two);
    limpet.configure(file_pool(list));
    await limpet.start();
    await meets_all(limpet, two);
    const early = await client_of_each(limpet, two);
    write_list(list, replicas);
    await meets_all(limpet, replicas);
    await all_stay(limpet, early, '2 replicas became 10');
    // A request that runs on a replica when it leaves is answered to its end.
    const cookies = await client_of_each(limpet, replicas);
    const leaving = replicas[9];
    const held = get(`${limpet.url}/hold`, { headers: { Cookie: cookies.get(leaving.id) } });
    held.catch(() => {});
    await until(deadline_ms, () => leaving.is_holding, 'the request runs on the replica');
    write_list(list, two);
    await meets_only(limpet, two);
    await all_stay(limpet, early, '10 replicas became 2');
    leaving.release();
    const answer = await held;
    assert.equal(answer.status, 200);
    assert.equal(answer.text, `${leaving.id} was held\n`);
  });
}

/** Clients that ask without a pause until stop(); each answer must be a 200. */
function load(limpet, cookies) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const state = { on: true, answers: 0, failures: [] };
  const ask = async (options) => {
    while (state.on) {
      try {
        const { status, text } = await get(`${limpet.url}/`, options);
        if (status !== 200) state.failures.push(`${status} ${text}`);
      } catch (error) {
        state.failures.push(error.message);
      }
      state.answers += 1;
    }
  };
  const loops = [ask({}), ask({ agent })];
  for (const cookie of cookies) loops.push(ask({ headers: { Cookie: cookie }, agent }));
  state.stop = async () => {
    state.on = false;
    await Promise.all(loops);
    agent.destroy();
  };
  return state;
}

const reloads = 20;

async function reloads_under_load() {
  const replicas = await start_little_replicas(5);
  await with_replicas(replicas, async (limpet) => {
    const few = replicas.slice(0, 2);
    limpet.configure(plain_pool(few));
    await limpet.start();
    const cookies = await client_of_each(limpet, few);
    const running = load(limpet, cookies.values());
    try {
      for (let number = 0; number < reloads; ++number) {
        const grown = number % 2 === 0;
        const now = grown ? replicas : few;
        limpet.configure(plain_pool(now));
        limpet.reload();
        await (grown ? meets_all : meets_only)(limpet, now);
        await all_stay(limpet, cookies, `reload ${number + 1}`);
      }
    } finally {
      await running.stop();
    }
    assert.ok(running.answers > reloads, `only ${running.answers} requests ran`);
    assert.equal(running.failures.length, 0,
      `${running.failures.length} of ${running.answers} failed; first: ${running.failures[0]}`);
  });
}

async function bad_file_changes_nothing() {
  const replicas = await start_little_replicas(2);
  await with_replicas(replicas, async (limpet) => {
    limpet.configure(plain_pool(replicas));
    await limpet.start();
    const cookies = await client_of_each(limpet, replicas);
    limpet.child.printed = '';
    limpet.configure('\n[pool.web]\nreplics = []\nprreset = "web"\n');
    limpet.reload();
    const at = (key) => new RegExp(`limpet\\.toml:\\d+:\\d+.*${key}|${key}.*limpet\\.toml:\\d+:\\d+`);
    await until(deadline_ms, () => ['replics', 'prreset'].every((key) => at(key).test(limpet.child.printed)),
      'both mistakes are printed with file, line and column').catch((error) => {
      throw new Error(`${error.message}\n${limpet.child.printed}`);
    });
    await all_stay(limpet, cookies, 'a bad file');
    await meets_all(limpet, replicas);
  });
}

export const cases = [
  { name: 'ingress: revisions: new sessions follow the weights, old ones stay',
    needs: 'daemon', own: true, run: revisions },
  { name: 'ingress: scaling from 2 to 10 replicas and back at run time, scaling in drains',
    needs: 'daemon', own: true, run: scaling },
  { name: `reload: SIGHUP ${reloads} times under load with added and removed replicas, no failed request`,
    needs: 'daemon', own: true, run: reloads_under_load },
  { name: 'reload: a bad file changes nothing and shows every mistake',
    needs: 'daemon', own: true, run: bad_file_changes_nothing },
];
